package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

func TestNoSecretIsShown(t *testing.T) {
	const canary = "canary-Zk0x9Qg"
	sts := newSTS(t)
	sts.fail = "AccessDenied"
	o := keyed("AKIAVISIBLE12345678", canary+"key", canary+"token")
	role := o
	role.RoleARN, role.STSEndpoint = "arn:aws:iam::2:role/target", sts.URL
	own := Options{Provider: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIAOWN", SecretAccessKey: canary}, nil
	})}
	env := environ{"AWS_BEARER_TOKEN_BEDROCK": canary + "bearer"}
	var out strings.Builder
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		log := slog.New(h)
		for _, o := range []Options{o, role, own, {}, {APIKey: secret.New(canary)}, {RoleARN: "arn", WebIdentity: secret.New(canary + "/file"), STSEndpoint: sts.URL}} {
			p := newPool(t, env)
			i, err := p.For(o)
			if err != nil {
				t.Fatal(err)
			}
			_, failed := proof(t, i)
			p.fetches.Wait() // what fmt finds in the pool is guarded by nothing
			for _, v := range []any{o, &o, i, *i.For("bedrock", "us-east-1"), i.For("bedrock", "us-east-1"), failed, p, i.credentials, i.bearer, []any{i}, struct{ I *Identity }{i}} {
				fmt.Fprintf(&out, "%v %+v %#v %s %q %x\n", v, v, v, v, v, v)
				log.Info("m", "v", v)
				if _, isError := v.(error); !isError { // slog writes errors as text
					text, _ := json.Marshal(v)
					out.Write(text)
				}
			}
			if i.credentials != nil {
				if creds := i.credentials.current.Load(); creds != nil {
					fmt.Fprintf(&out, "%v %+v %#v %s", creds, creds, creds, creds)
				}
			}
		}
	}
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), strings.ToUpper(fmt.Sprintf("%x", canary))} {
		if at := strings.Index(out.String(), form); at >= 0 {
			t.Errorf("%q is shown: …%s…", form, out.String()[max(0, at-200):at+40])
		}
	}
	if !strings.Contains(out.String(), "****5678") {
		t.Error("nothing is shown at all")
	}
}
