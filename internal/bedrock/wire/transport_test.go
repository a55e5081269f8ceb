package wire

import (
	"net"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

func TestTransportOptions(t *testing.T) {
	if _, err := NewTransport(TransportOptions{CAFile: "testdata/none.pem"}); err == nil {
		t.Error("a missing file of authorities is no error")
	}
	if _, err := NewTransport(TransportOptions{CAFile: "client_test.go"}); err == nil {
		t.Error("a file without certificates is no error")
	}
	tr, err := NewTransport(TransportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if tr.MaxIdleConnsPerHost < 2048 || !tr.DisableCompression || tr.Protocols.HTTP2() || tr.TLSClientConfig.InsecureSkipVerify || tr.Proxy == nil {
		t.Errorf("%+v", tr)
	}
}

func TestTLSHandshakesAreBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	transport, err := NewTransport(TransportOptions{Connect: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	e, err := ResolveEndpoint("bedrock-runtime", "us-east-1", EndpointOptions{Override: "https://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(ClientOptions{Endpoint: e, Authenticator: &fakeAuth{}, Transport: transport})
	body := newBody("{}")
	defer body.Release()
	_, err = c.Send(t.Context(), &Call{Path: "/x", Body: body})
	wantKind(t, err, llm.KindGatewayTimeout)
}
