package sim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// asked is the request of an operation that is for no model: of guardrails, asynchronous calls, agents, knowledge bases, flows
// and sessions. Only what the answers need is read; other members are not checked.
type asked struct {
	call
	// labels are the path's segments, unescaped.
	labels []string
	body   struct {
		Content          []struct{ Text struct{ Text string } }
		Messages         []struct{ Content []struct{ Text string } }
		Checks           map[string]json.RawMessage
		ModelID          string `json:"modelId"`
		OutputDataConfig any
		RetrievalQuery   struct{ Text string }
		Input            struct {
			Text       string
			TextPrompt struct{ Text string }
		}
		InputText            string
		EnableTrace          bool
		FoundationModel      string
		Inputs               []struct{ Content struct{ Document any } }
		QueryGenerationInput struct{ Text string }
		SessionID            string `json:"sessionId"`
	}
}

// agentModel is the model that the simulated agents say they have asked.
const agentModel = "anthropic.claude-3-haiku-20240307-v1:0"

// serviceOperation returns AWS's name of an operation that is for no model, "" if the path is none's. isAgents says that it is of
// bedrock-agent-runtime, which takes no bearer keys.
func serviceOperation(method string, segments []string) (name string, isAgents bool) {
	for _, o := range serviceOperations {
		if o.method == method && matches(o.path, segments) {
			return o.name, o.isAgents
		}
	}
	return "", false
}

// matches reports whether a path is a pattern, whose segment * is any label.
func matches(pattern string, segments []string) bool {
	i := 0
	for want := range strings.SplitSeq(pattern, "/") {
		if i == len(segments) || want != "*" && want != segments[i] {
			return false
		}
		i++
	}
	return i == len(segments)
}

// serviceOperations are those that the simulator has.
var serviceOperations = []struct {
	method, path, name string
	isAgents           bool
}{
	{http.MethodPost, "guardrail/*/version/*/apply", "ApplyGuardrail", false},
	{http.MethodPost, "guardrail-checks/invoke", "InvokeGuardrailChecks", false},
	{http.MethodPost, "async-invoke", "StartAsyncInvoke", false},
	{http.MethodGet, "async-invoke", "ListAsyncInvokes", false},
	{http.MethodGet, "async-invoke/*", "GetAsyncInvoke", false},
	{http.MethodPost, "knowledgebases/*/retrieve", "Retrieve", true},
	{http.MethodPost, "retrieveAndGenerate", "RetrieveAndGenerate", true},
	{http.MethodPost, "retrieveAndGenerateStream", "RetrieveAndGenerateStream", true},
	{http.MethodPost, "agenticRetrieveStream", "AgenticRetrieveStream", true},
	{http.MethodPost, "generateQuery", "GenerateQuery", true},
	{http.MethodPost, "optimize-prompt", "OptimizePrompt", true},
	{http.MethodPost, "agents/*", "InvokeInlineAgent", true},
	{http.MethodPost, "agents/*/agentAliases/*/sessions/*/text", "InvokeAgent", true},
	{http.MethodPost, "flows/*/aliases/*", "InvokeFlow", true},
	{http.MethodPut, "sessions", "CreateSession", true},
	{http.MethodGet, "sessions/*", "GetSession", true},
	{http.MethodPost, "sessions", "ListSessions", true},
	{http.MethodDelete, "sessions/*", "DeleteSession", true},
}

// serveService answers an operation that is for no model. A fault may be asked for behind the first label of the path
// (/knowledgebases/KB.fault-throttle/retrieve), as behind a model's id.
func (s *Server) serveService(w http.ResponseWriter, r *http.Request, c *call, segments []string) {
	a := &asked{call: *c}
	for _, segment := range segments {
		label, _ := url.PathUnescape(segment) // what is no escape stays empty
		a.labels = append(a.labels, label)
	}
	if len(a.labels) > 1 {
		a.call.asked = a.labels[1]
	}
	a.dice = newDice(s.options.Seed, a.operation, []byte(r.URL.EscapedPath()), c.body)
	if len(c.body) > 0 {
		if err := json.Unmarshal(c.body, &a.body); err != nil {
			writeError(w, serializationError("The request could not be read: %v", err))
			return
		}
	}
	fault, refused := s.earlyFault(r.Header, &a.call)
	if refused != nil {
		writeError(w, refused)
		return
	}
	events, answer := s.serviceAnswer(w, a)
	if !pause(r.Context(), s.options.Latency) || fault != nil && s.failInstead(w, r, fault, events != nil) {
		return
	}
	if events != nil {
		s.deliverStream(w, r, &a.call, fault, s.pace(nil), framed(events, a.dice))
		return
	}
	if a.operation == "CreateSession" {
		body := mustJSON(answer)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
		return
	}
	s.deliverBody(w, r, fault, mustJSON(answer))
}

// serviceAnswer returns the answer, as events or in one piece.
func (s *Server) serviceAnswer(w http.ResponseWriter, a *asked) ([]event, object) {
	const retrieved = "It rains in Bergen on two hundred days of the year."
	found := object{
		"content": object{"type": "TEXT", "text": retrieved}, "score": 0.9,
		"location": object{"type": "S3", "s3Location": object{"uri": "s3://simulator/bergen.txt"}}, "metadata": object{"source": "simulator"},
	}
	session := a.body.SessionID
	if session == "" {
		session = a.dice.uuid()
	}
	said := "You said: " + a.body.Input.Text
	switch a.operation {
	case "ApplyGuardrail":
		return nil, guardrailAnswer(a)
	case "InvokeGuardrailChecks":
		return nil, checksAnswer(a)
	case "StartAsyncInvoke":
		return nil, object{"invocationArn": "arn:aws:bedrock:" + s.options.region() + ":" + s.options.Account + ":async-invoke/" + a.dice.word(12)}
	case "ListAsyncInvokes":
		return nil, object{"asyncInvokeSummaries": []object{}}
	case "GetAsyncInvoke":
		return nil, object{
			"invocationArn": a.labels[1], "modelArn": s.modelARN("amazon.nova-reel-v1:1"), "status": "Completed", "submitTime": listedAt.Format(time.RFC3339),
			"outputDataConfig": object{"s3OutputDataConfig": object{"s3Uri": "s3://simulator/out"}},
		}
	case "Retrieve":
		return nil, object{"retrievalResults": []object{found}}
	case "RetrieveAndGenerate":
		return nil, object{"sessionId": session, "output": object{"text": said}, "citations": []object{}}
	case "RetrieveAndGenerateStream":
		w.Header().Set("x-amzn-bedrock-knowledge-base-session-id", session)
		return texts("output", said), nil
	case "AgenticRetrieveStream":
		return []event{{"result", object{"results": []object{}}}}, nil
	case "GenerateQuery":
		return nil, object{"queries": []object{{"type": "REDSHIFT_SQL", "sql": "SELECT '" + strings.ReplaceAll(a.body.QueryGenerationInput.Text, "'", "''") + "'"}}}
	case "OptimizePrompt":
		return []event{
			{"analyzePromptEvent", object{"message": "A simulated prompt."}},
			{"optimizedPromptEvent", object{"optimizedPrompt": object{"textPrompt": object{"text": "Please: " + a.body.Input.TextPrompt.Text}}}},
		}, nil
	case "InvokeAgent", "InvokeInlineAgent":
		return agentEvents(w, a), nil
	case "InvokeFlow":
		w.Header().Set("x-amz-bedrock-flow-execution-id", session)
		var document any = ""
		if len(a.body.Inputs) > 0 {
			document = a.body.Inputs[0].Content.Document
		}
		return []event{
			{"flowOutputEvent", object{"nodeName": "Output", "nodeType": "FlowOutputNode", "content": object{"document": document}}},
			{"flowCompletionEvent", object{"completionReason": "SUCCESS"}},
		}, nil
	case "ListSessions":
		return nil, object{"sessionSummaries": []object{}}
	case "CreateSession", "GetSession":
		if a.operation == "GetSession" {
			session = a.labels[1]
		}
		at := listedAt.Format(time.RFC3339)
		return nil, object{
			"sessionId": session, "sessionArn": "arn:aws:bedrock:" + s.options.region() + ":" + s.options.Account + ":session/" + session,
			"sessionStatus": "ACTIVE", "createdAt": at, "lastUpdatedAt": at,
		}
	}
	return nil, object{}
}

// texts says a text in two events.
func texts(name, text string) []event {
	half := len(text) / 2
	for half > 0 && !utf8.RuneStart(text[half]) {
		half--
	}
	return []event{{name, object{"text": text[:half]}}, {name, object{"text": text[half:]}}}
}

// agentEvents are those of an agent that asks its model once. Its trace has what the model has used: see InvokeAgent's
// recordings, in which the answer comes in one chunk.
func agentEvents(w http.ResponseWriter, a *asked) []event {
	session, model := a.labels[1], agentModel
	if a.operation == "InvokeAgent" {
		session = a.labels[5]
	} else if a.body.FoundationModel != "" {
		model = a.body.FoundationModel
	}
	w.Header().Set("x-amzn-bedrock-agent-content-type", "application/json")
	w.Header().Set("x-amz-bedrock-agent-session-id", session)
	said := "You said: " + a.body.InputText
	chunk := event{"chunk", object{"bytes": []byte(said)}}
	if !a.body.EnableTrace {
		return []event{chunk}
	}
	id := a.dice.uuid() + "-0"
	step := func(name string, v object) event {
		v["traceId"] = id
		return event{"trace", object{"sessionId": session, "agentId": a.labels[1], "trace": object{"orchestrationTrace": object{name: v}}}}
	}
	return []event{
		step("modelInvocationInput", object{"text": a.body.InputText, "type": "ORCHESTRATION", "foundationModel": model}),
		step("modelInvocationOutput", object{
			"metadata":    object{"usage": object{"inputTokens": tokensOf(a.body.InputText), "outputTokens": tokensOf(said)}},
			"rawResponse": object{"content": said},
		}),
		chunk,
	}
}

// tokensOf counts as the models here do: four characters are a token.
func tokensOf(text string) int { return (utf8.RuneCountInString(text) + 3) / 4 }

// guardrailAnswer judges a text: [[guardrail]] in it is refused. A unit is a thousand characters.
func guardrailAnswer(a *asked) object {
	characters, intervened := 0, false
	for _, c := range a.body.Content {
		characters += utf8.RuneCountInString(c.Text.Text)
		intervened = intervened || strings.Contains(c.Text.Text, "[[guardrail]]")
	}
	units := (characters + 999) / 1000
	out := object{
		"action": "NONE", "outputs": []object{}, "assessments": []object{},
		"usage": object{
			"topicPolicyUnits": units, "contentPolicyUnits": units, "wordPolicyUnits": units, "sensitiveInformationPolicyUnits": 0,
			"sensitiveInformationPolicyFreeUnits": units, "contextualGroundingPolicyUnits": 0,
		},
	}
	if intervened {
		out["action"], out["outputs"] = "GUARDRAIL_INTERVENED", []object{{"text": "Sorry, the simulated guardrail does not allow this."}}
		out["assessments"] = []object{{"topicPolicy": object{"topics": []object{{"name": "simulated", "type": "DENY", "action": "BLOCKED"}}}}}
	}
	return out
}

// checksAnswer finds nothing in whatever is checked.
func checksAnswer(a *asked) object {
	characters := 0
	for _, m := range a.body.Messages {
		for _, c := range m.Content {
			characters += utf8.RuneCountInString(c.Text)
		}
	}
	results, usage := object{}, object{}
	for name := range a.body.Checks {
		results[name] = object{"results": []object{}}
		usage[name] = object{"textUnits": (characters + 999) / 1000}
	}
	return object{"results": results, "usage": usage}
}
