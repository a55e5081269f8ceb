package sim_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/sim"
)

// A test starts a simulator, points its client at the URL, and looks at what arrived.
func ExampleServer() {
	bedrock := sim.New(sim.Options{Auth: sim.AuthOff})
	url, err := bedrock.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bedrock.Close()
	defer http.DefaultClient.CloseIdleConnections()

	res, err := http.Post(url+"/model/amazon.nova-lite-v1%3A0/converse", "application/json",
		strings.NewReader(`{"messages":[{"role":"user","content":[{"text":"hello"}]}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	fmt.Println(strings.Contains(string(body), "You said: hello"), err)
	fmt.Println(bedrock.Requests()[0])
	// Output:
	// true <nil>
	// POST /model/amazon.nova-lite-v1%3A0/converse
}
