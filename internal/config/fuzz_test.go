package config

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse holds: whatever the file, Parse returns, every problem stands in a place of a file, and what is accepted
// is consistent.
func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/documented/*.yaml")
	if err != nil || len(paths) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, text := range []string{
		"", "a: *b", "a: &a [*a]", "a: &a {<<: *a}", "<<: [{a: 1}]\nmodel_list: []", "model_list: [~, 1, {}, []]", "? {a: b}\n: c",
		"include: [a, include]\nmodel_list: os.environ/X", "environment_variables: {X: 1, Y: os.environ/X}",
		"credential_list: [{credential_name: a, credential_values: os.environ/X}]\nmodel_list: [{litellm_params: {litellm_credential_name: a}}]",
		"router_settings: {model_group_alias: {a: [], b: ~, c: {}}}", "model_list: [{model_info: os.environ/X, litellm_params: os.environ/X}]",
		"a: !!int x", "a: !!float nan", "a: !!bool 3", "a: !!null 1", "a: !<tag:x> y", "%YAML 1.1\n---\na: 1", "a: 0b1_1\nb: -0x_f\nc: +.5e1",
		model("timeout: 9e300", "aws_session_tags: [{Key: 1, Value: ~}]", "extra_headers: {a: ~, b: true, c: [1]}", "weight: -.inf"),
		inSection("litellm_settings", "model_group_settings: {forward_client_headers_to_llm_api: [1, ~, []]}"),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := &Loader{
			Env: vars("X", "x", "AWS_REGION_NAME", "us-east-1", "N", "1"),
			ReadFile: func(path string) ([]byte, error) {
				if strings.HasSuffix(path, "include") {
					return data, nil
				}
				return nil, errors.New("not there")
			},
		}
		c, problems := l.Parse("fuzz.yaml", data)
		if c == nil {
			t.Fatal("no configuration")
		}
		for _, p := range problems {
			if p.File == "" || p.Line < 1 || p.Column < 1 || p.Message == "" || p.Severity < Error || p.Severity > Note {
				t.Errorf("incomplete problem %#v", p)
			}
			if strings.ContainsAny(p.String(), "\n\r\x1b") {
				t.Errorf("problem of several lines: %q", p.String())
			}
		}
		if HasErrors(problems) {
			return
		}
		ids := map[string]bool{}
		for i := range c.ModelList {
			d := &c.ModelList[i]
			if d.ModelName == "" || d.Params.Model == "" || d.Info.ID == "" || ids[d.Info.ID] || d.Pos.Line < 1 {
				t.Errorf("incomplete deployment %+v", d)
			}
			ids[d.Info.ID] = true
			for _, raw := range []json.RawMessage{d.Params.Defaults, d.Info.Extra, d.Params.UserContinueMessage} {
				if raw != nil && !json.Valid(raw) {
					t.Errorf("not JSON: %s", raw)
				}
			}
			if tm := c.Timeouts(d); tm.Total <= 0 || tm.Stream <= 0 || tm.StreamIdle <= 0 || tm.Connect <= 0 || tm.FirstByte <= 0 {
				t.Errorf("unset time-outs %+v", tm)
			}
		}
	})
}
