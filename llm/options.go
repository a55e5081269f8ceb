package llm

import "fmt"

// Options are what every request can say about how it is to be served. The zero value leaves all of it to the client's
// own settings.
type Options struct {
	// ModelID goes into AWS's URL in the place of the model's own id: the ARN of an inference profile, or of a provisioned
	// or imported model. The model's name then says how to speak with it.
	ModelID string
	// Identity is whom the request goes as, in the place of the client's identity; nil leaves it.
	Identity *Identity
	// Headers are sent to AWS as they are. anthropic-beta joins Request.Betas; Authorization cannot stand here.
	Headers map[string]string

	// Drop leaves out parameters that the model does not take, Modify lets conversations be repaired; nil leaves it to the
	// client's settings. Remove names parameters that are not sent, as paths: "tools[*].function.strict".
	Drop, Modify *bool
	Remove       []string
	// Allowed names parameters that are sent without a check of whether the model takes them.
	Allowed []string
	// UserContinue and AssistantContinue are put where AWS demands a turn of that side and Modify is on.
	UserContinue, AssistantContinue *Message

	// Retries is how often the request is tried again; nil leaves it to the client's settings. Fallbacks are the models that
	// stand in when the one that was asked for fails; ContextFallbacks when the prompt is too long for it, FilterFallbacks
	// when a content filter refuses. NoFallbacks has none at all.
	Retries                                      *int
	Fallbacks, ContextFallbacks, FilterFallbacks []string
	NoFallbacks                                  bool
	// Session names a conversation, so that its requests may stay with one deployment. Regions are those that may answer:
	// names, or geographies such as "eu".
	Session string
	Regions []string
}

// Identity is whom a single request goes as, and where. It is one of: a bearer token; an access key with its secret; a
// profile; a role that is assumed with the client's own identity or with the key beside it; a role with a web identity
// token. What it leaves empty is not filled up from the client's credentials. It prints without its secrets.
type Identity struct {
	BearerToken                                string
	AccessKeyID, SecretAccessKey, SessionToken string
	Profile                                    string
	RoleARN, SessionName, ExternalID           string
	// WebIdentityToken is the token itself, a JWT.
	WebIdentityToken string
	// Region and Endpoint replace the client's; Endpoint is the address of bedrock-runtime.
	Region, Endpoint string
}

// String names the identity without its secrets.
func (i Identity) String() string {
	switch {
	case i.BearerToken != "":
		return "llm.Identity{a bearer token}"
	case i.RoleARN != "":
		return "llm.Identity{" + i.RoleARN + "}"
	case i.Profile != "":
		return "llm.Identity{the profile " + i.Profile + "}"
	case i.AccessKeyID != "":
		return "llm.Identity{" + i.AccessKeyID + "}"
	}
	return "llm.Identity{}"
}

// Format writes String, whatever the verb.
func (i Identity) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte(i.String())) // fmt reports failed writes itself
}
