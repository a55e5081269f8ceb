package sim

import (
	"log/slog"
	"time"
)

// The credentials that a simulator with zero Options accepts. They are public on purpose: they open nothing else.
const (
	AccessKeyID     = "AKIAOUTCROPSIMULATOR"
	SecretAccessKey = "outcrop-simulator-secret-access-key-0000"
	BearerToken     = "ABSKoutcrop-simulator-bearer-token"
	AccountID       = "123456789012"
)

// AuthMode says what the simulator does with a request's credentials.
type AuthMode uint8

const (
	// AuthVerify refuses with 403 what AWS would refuse.
	AuthVerify AuthMode = iota
	// AuthOff accepts everything, also requests without any credentials.
	AuthOff
)

// Options configure a Server. The zero value works: fixed credentials, echo, no delays.
type Options struct {
	// Region names the ARNs of the model lists (default us-east-1). When set, SigV4 scopes of other regions are refused
	// as AWS refuses them; when empty any region is served.
	Region string
	// Account is the AWS account of all ARNs; default AccountID.
	Account string
	// Auth: AuthVerify unless set.
	Auth AuthMode
	// Credentials that SigV4 may use; nil: AccessKeyID with SecretAccessKey. STS adds its own at run time.
	Credentials []Credential
	// BearerTokens that are accepted as Bedrock API keys; nil: BearerToken.
	BearerTokens []string
	// Models and Profiles are what the control plane lists; nil: a small built-in list.
	Models   []Model
	Profiles []Profile
	// KnownModels, when not empty, are the only model ids (or ARNs) that are served. Otherwise every id that is built
	// like a Bedrock id is, but for those that begin with "missing.".
	KnownModels []string
	// Denied are IAM actions that IAM's policy simulator says nobody may do, itself among them if its action is.
	Denied []string
	// Scenario holds scripted answers and faults; nil: echo.
	Scenario *Scenario

	// Latency passes before the response headers, FirstEvent between them and the first frame, ChunkDelay between frames.
	Latency, FirstEvent, ChunkDelay time.Duration
	// ChunkSize is the number of characters of one text delta; default 12.
	ChunkSize int
	// Now is the clock of signatures, credentials and caches; default time.Now.
	Now func() time.Time
	// Seed changes generated ids and padding, nothing else.
	Seed uint64
	// RecordLimit is how many of the newest requests Server.Requests keeps: 0 means 256, negative none. Together their
	// bodies take at most 64 MiB.
	RecordLimit int

	// Fast is for benchmarks: no verification, no validation, no recording; one prebuilt answer per operation.
	Fast bool
	// FastChunks is the number of text frames of a Fast stream; default 200.
	FastChunks int
}

// String keeps credentials out of logs.
func (Options) String() string { return "sim.Options{…}" }

// GoString keeps credentials out of %#v.
func (o Options) GoString() string { return o.String() }

// LogValue keeps credentials out of structured logs.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// Credential is one AWS key pair, with its session token when it is a temporary one.
type Credential struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string    // empty: long-term key
	Expires         time.Time // zero: never
}

// String shows the key id only.
func (c Credential) String() string { return "sim.Credential{" + c.AccessKeyID + "}" }

// GoString shows the key id only.
func (c Credential) GoString() string { return c.String() }

// LogValue shows the key id only.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Model is one entry of ListFoundationModels. Modalities are AWS's words (TEXT, IMAGE, EMBEDDING …).
type Model struct {
	ID, Name, Provider string
	Input, Output      []string // empty: TEXT
	Inference          []string // ON_DEMAND, PROVISIONED, INFERENCE_PROFILE; empty: ON_DEMAND
	Streaming          bool
	Legacy             bool
}

// Profile is one entry of ListInferenceProfiles.
type Profile struct {
	ID, Name    string
	Models      []string // base model ids
	Application bool     // APPLICATION instead of SYSTEM_DEFINED
}

// withDefaults fills what the documentation promises for zero values.
func (o Options) withDefaults() Options {
	if o.Account == "" {
		o.Account = AccountID
	}
	if o.Credentials == nil {
		o.Credentials = []Credential{{AccessKeyID: AccessKeyID, SecretAccessKey: SecretAccessKey}}
	}
	if o.BearerTokens == nil {
		o.BearerTokens = []string{BearerToken}
	}
	if o.Models == nil {
		o.Models = builtinModels()
	}
	if o.Profiles == nil {
		o.Profiles = builtinProfiles()
	}
	if o.ChunkSize <= 0 {
		o.ChunkSize = 12
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.RecordLimit == 0 {
		o.RecordLimit = 256
	}
	if o.FastChunks <= 0 {
		o.FastChunks = 200
	}
	return o
}

// region is the region of the ARNs in answers.
func (o Options) region() string {
	if o.Region == "" {
		return "us-east-1"
	}
	return o.Region
}

func builtinModels() []Model {
	return []Model{
		{ID: "anthropic.claude-3-haiku-20240307-v1:0", Name: "Claude 3 Haiku", Provider: "Anthropic", Input: []string{"TEXT", "IMAGE"}, Streaming: true},
		{ID: "anthropic.claude-sonnet-4-5-20250929-v1:0", Name: "Claude Sonnet 4.5", Provider: "Anthropic", Input: []string{"TEXT", "IMAGE"}, Inference: []string{"INFERENCE_PROFILE"}, Streaming: true},
		{ID: "amazon.nova-lite-v1:0", Name: "Nova Lite", Provider: "Amazon", Input: []string{"TEXT", "IMAGE", "VIDEO"}, Streaming: true},
		{ID: "openai.gpt-oss-120b-1:0", Name: "gpt-oss-120b", Provider: "OpenAI", Streaming: true},
	}
}

func builtinProfiles() []Profile {
	return []Profile{
		{ID: "us.anthropic.claude-sonnet-4-5-20250929-v1:0", Name: "US Claude Sonnet 4.5", Models: []string{"anthropic.claude-sonnet-4-5-20250929-v1:0"}},
		{ID: "us.amazon.nova-lite-v1:0", Name: "US Nova Lite", Models: []string{"amazon.nova-lite-v1:0"}},
	}
}
