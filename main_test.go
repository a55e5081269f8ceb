package outcrop_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/outcrop-ai/outcrop/internal/sim"
)

// bedrock is the simulated Bedrock that the examples call; documents is where they find files.
var (
	bedrock   = sim.New(sim.Options{Auth: sim.AuthOff, RecordLimit: 10_000})
	documents *httptest.Server
	// sources is the folder of this package, from which TestMain goes away.
	sources string
)

// TestMain has the environment say what it would say on a machine with access to Bedrock, but for where Bedrock is.
func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if sources, err = os.Getwd(); err != nil {
		fmt.Println(err)
		return 1
	}
	address, err := bedrock.Start()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer bedrock.Close()
	documents = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(files[r.URL.Path]) }))
	defer documents.Close()
	folder, err := os.MkdirTemp("", "outcrop")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(folder)
	if err := environment(folder, address); err != nil {
		fmt.Println(err)
		return 1
	}
	code := m.Run()
	documents.Close()
	bedrock.Close()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	return code
}

// pdf and png are small files.
var (
	pdf   = []byte("%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
	png   = decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M8AAAQBAQDJ/pLvAAAAAElFTkSuQmCC")
	files = map[string][]byte{"/dummy.pdf": pdf, "/logo.png": png, "/models": []byte(`{"output":{"message":{"role":"assistant","content":[{"text":"A cloud."}]}},"stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}`)}
)

func decode(text string) []byte {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return data
}

// environment sets the variables, and writes the files that they and the examples name.
func environment(folder, address string) error {
	vars := map[string]string{
		"AWS_ACCESS_KEY_ID": sim.AccessKeyID, "AWS_SECRET_ACCESS_KEY": sim.SecretAccessKey, "AWS_REGION_NAME": "us-east-1", "AWS_REGION": "us-east-1",
		"AWS_ENDPOINT_URL": address, "AWS_ENDPOINT_URL_STS": address, "AWS_CONFIG_FILE": filepath.Join(folder, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(folder, "credentials"),
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "", "AWS_SESSION_TOKEN": "", "AWS_BEARER_TOKEN_BEDROCK": "",
	}
	for name, value := range vars {
		var err error
		if value == "" {
			err = os.Unsetenv(name)
		} else {
			err = os.Setenv(name, value)
		}
		if err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"config":      "[profile dev-profile]\nregion = us-east-1\n",
		"credentials": "[dev-profile]\naws_access_key_id = AKIAOFTHEPROFILE0000\naws_secret_access_key = of-the-profile\n",
		"logo.png":    string(png),
		"report.pdf":  string(pdf),
		"token.jwt":   "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ0ZXN0In0.c2lnbmF0dXJl",
		"config.yaml": `model_list:
  - model_name: claude
    litellm_params: {model: bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0, aws_region_name: us-east-1}
  - model_name: claude
    litellm_params: {model: bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0, aws_region_name: us-west-2}
router_settings:
  num_retries: 1
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return os.Chdir(folder)
}
