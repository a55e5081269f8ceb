package sim

import (
	"io"
	"net/http"
	"testing"
)

func TestModelListsComeFromTheOptions(t *testing.T) {
	b := start(t, Options{
		Region: "eu-west-1",
		Models: []Model{{ID: "a.one", Name: "One", Provider: "A", Streaming: true}, {ID: "b.two", Name: "Two", Provider: "B", Output: []string{"EMBEDDING"}, Legacy: true}},
		Profiles: []Profile{
			{ID: "eu.a.one", Name: "EU One", Models: []string{"a.one"}}, {ID: "p1", Name: "Team", Models: []string{"a.one"}, Application: true},
		},
	})
	get := func(path string, status int) tree {
		t.Helper()
		r := b.send(b.request(http.MethodGet, path, ""))
		equal(t, r.status, status)
		return r.tree(t)
	}
	all := get("/foundation-models", 200)
	equal(t, len(all.at("modelSummaries").([]any)), 2)
	equal(t, all.at("modelSummaries.0.modelArn"), any("arn:aws:bedrock:eu-west-1::foundation-model/a.one"))
	equal(t, all.at("modelSummaries.0.responseStreamingSupported"), any(true))
	equal(t, all.at("modelSummaries.1.modelLifecycle.status"), any("LEGACY"))
	equal(t, get("/foundation-models?byOutputModality=EMBEDDING", 200).at("modelSummaries.0.modelId"), any("b.two"))
	equal(t, get("/foundation-models?byProvider=a", 200).at("modelSummaries.0.modelId"), any("a.one"))
	equal(t, len(get("/foundation-models?byInferenceType=PROVISIONED", 200).at("modelSummaries").([]any)), 0)
	equal(t, get("/foundation-models/b.two", 200).at("modelDetails.providerName"), any("B"))
	get("/foundation-models/c.three", 404)

	equal(t, get("/inference-profiles?type=APPLICATION", 200).at("inferenceProfileSummaries.0.inferenceProfileArn"), any("arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/p1"))
	page := get("/inference-profiles?maxResults=1", 200)
	equal(t, page.at("inferenceProfileSummaries.0.type"), any("SYSTEM_DEFINED"))
	next := get("/inference-profiles?maxResults=1&nextToken="+page.at("nextToken").(string), 200)
	equal(t, next.at("inferenceProfileSummaries.0.inferenceProfileId"), any("p1"))
	equal(t, next.at("nextToken"), nil)
	get("/inference-profiles?maxResults=0", 400)
	equal(t, get("/inference-profiles/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Aapplication-inference-profile%2Fp1", 200).at("models.0.modelArn"), any("arn:aws:bedrock:eu-west-1::foundation-model/a.one"))
	get("/nothing", 404)
}

func TestHealthNeedsNoCredentials(t *testing.T) {
	b := open(t)
	res, err := b.client.Get(b.url + "/_sim/health")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	equal(t, res.StatusCode, 200)
	equal(t, string(body), "ok\n")
	equal(t, len(b.sim.Requests()), 0)
}
