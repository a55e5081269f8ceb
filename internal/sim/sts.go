package sim

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

type stsCredentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

type stsRoleUser struct {
	AssumedRoleID string `xml:"AssumedRoleId"`
	Arn           string
}

type stsRoleResult struct {
	XMLName                     xml.Name
	SubjectFromWebIdentityToken string `xml:",omitempty"`
	Audience                    string `xml:",omitempty"`
	AssumedRoleUser             stsRoleUser
	Credentials                 stsCredentials
	Provider                    string `xml:",omitempty"`
}

type stsIdentityResult struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	UserID  string   `xml:"UserId"`
	Account string
	Arn     string
}

type stsMetadata struct {
	RequestID string `xml:"RequestId"`
}

type stsAnswer struct {
	XMLName  xml.Name
	Xmlns    string `xml:"xmlns,attr"`
	Result   any
	Metadata stsMetadata `xml:"ResponseMetadata"`
}

type stsFailure struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Xmlns     string   `xml:"xmlns,attr"`
	Error     stsError
	RequestID string `xml:"RequestId"`
}

type stsError struct {
	Type    string
	Code    string
	Message string
}

// stsCode is STS's own name for what other services call …Exception. A refused caller has an ExpiredToken; an expired web
// identity, a 400, keeps the longer name.
func stsCode(e *apiError) string {
	switch e.code {
	case "UnrecognizedClientException":
		return "InvalidClientTokenId"
	case "InvalidSignatureException":
		return "SignatureDoesNotMatch"
	case "ExpiredTokenException":
		if e.status == http.StatusForbidden {
			return "ExpiredToken"
		}
	case "MissingAuthenticationTokenException":
		return "MissingAuthenticationToken"
	case "IncompleteSignatureException":
		return "IncompleteSignature"
	}
	return e.code
}

// serveSTS answers the query protocol: a form in, XML out.
func (s *Server) serveSTS(w http.ResponseWriter, r *http.Request, c *call) {
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		writeSTSError(w, c, &apiError{status: 400, code: "MalformedQueryString", message: "The query string contains a syntax error."})
		return
	}
	for name, values := range r.URL.Query() {
		form[name] = append(form[name], values...)
	}
	action := form.Get("Action")
	c.operation = action
	var result any
	var refused *apiError
	switch action {
	case "AssumeRole":
		var who caller
		if who, refused = s.authenticate(r, "sts", c.body); refused == nil {
			result, refused = s.assumeRole(form, who)
		}
	case "AssumeRoleWithWebIdentity":
		result, refused = s.assumeRoleWithWebIdentity(form)
	case "GetCallerIdentity":
		var who caller
		if who, refused = s.authenticate(r, "sts", c.body); refused == nil {
			result = stsIdentityResult{UserID: who.userID, Account: s.options.Account, Arn: who.arn}
		}
	case "SimulatePrincipalPolicy":
		result, refused = s.simulatePolicy(r, form, c.body)
	case "":
		refused = &apiError{status: 400, code: "MissingAction", message: "The request is missing an action or a required parameter."}
	default:
		refused = &apiError{status: 400, code: "InvalidAction", message: "Could not find operation " + action + " for version " + form.Get("Version")}
	}
	if refused != nil {
		writeSTSError(w, c, refused)
		return
	}
	writeXML(w, http.StatusOK, stsAnswer{
		XMLName: xml.Name{Local: action + "Response"}, Xmlns: stsNamespace,
		Result: result, Metadata: stsMetadata{RequestID: c.id},
	})
}

// textRule is what STS asks of one parameter.
type textRule struct {
	name     string
	min, max int
	pattern  *regexp.Regexp
	required bool
}

var sessionName = regexp.MustCompile(`\A[\w+=,.@-]*\z`)

func checkForm(form url.Values, rules ...textRule) *apiError {
	var wrong []string
	for _, rule := range rules {
		v := form.Get(rule.name)
		label := strings.ToLower(rule.name[:1]) + rule.name[1:]
		at := "Value '" + v + "' at '" + label + "' failed to satisfy constraint: "
		switch {
		case v == "" && rule.required:
			wrong = append(wrong, "Value null at '"+label+"' failed to satisfy constraint: Member must not be null")
		case v == "":
		case utf8.RuneCountInString(v) < rule.min:
			wrong = append(wrong, at+"Member must have length greater than or equal to "+strconv.Itoa(rule.min))
		case utf8.RuneCountInString(v) > rule.max:
			wrong = append(wrong, "Value at '"+label+"' failed to satisfy constraint: Member must have length less than or equal to "+strconv.Itoa(rule.max))
		case rule.pattern != nil && !rule.pattern.MatchString(v):
			wrong = append(wrong, at+`Member must satisfy regular expression pattern: [\w+=,.@-]*`)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	plural := ""
	if len(wrong) > 1 {
		plural = "s"
	}
	return &apiError{status: 400, code: "ValidationError", message: strconv.Itoa(len(wrong)) + " validation error" + plural + " detected: " + strings.Join(wrong, "; ")}
}

func (s *Server) assumeRole(form url.Values, who caller) (any, *apiError) {
	if refused := checkForm(form, textRule{name: "RoleArn", min: 20, max: 2048, required: true},
		textRule{name: "RoleSessionName", min: 2, max: 64, pattern: sessionName, required: true},
		textRule{name: "ExternalId", min: 2, max: 1224}); refused != nil {
		return nil, refused
	}
	if policy := form.Get("Policy"); policy != "" && !json.Valid([]byte(policy)) {
		return nil, &apiError{status: 400, code: "MalformedPolicyDocument", message: "The policy is not in the valid JSON format."}
	}
	result, refused := s.grantRole(form, "AssumeRole")
	if refused != nil && refused.code == "AccessDenied" {
		refused.message = "User: " + who.arn + " is not authorized to perform: sts:AssumeRole on resource: " + form.Get("RoleArn")
	}
	return result, refused
}

func (s *Server) assumeRoleWithWebIdentity(form url.Values) (any, *apiError) {
	if refused := checkForm(form, textRule{name: "RoleArn", min: 20, max: 2048, required: true},
		textRule{name: "RoleSessionName", min: 2, max: 64, pattern: sessionName, required: true},
		textRule{name: "WebIdentityToken", min: 4, max: 20000, required: true}); refused != nil {
		return nil, refused
	}
	// The token's signature is not checked: the simulator has no identity provider. Its form and its end are.
	parts := strings.Split(form.Get("WebIdentityToken"), ".")
	var claims struct {
		Subject  string          `json:"sub"`
		Issuer   string          `json:"iss"`
		Audience json.RawMessage `json:"aud"`
		Expires  float64         `json:"exp"`
	}
	invalid := &apiError{status: 400, code: "InvalidIdentityToken", message: "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"}
	if len(parts) != 3 {
		return nil, invalid
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return nil, invalid
	}
	if now := s.options.Now(); claims.Expires != 0 && float64(now.Unix()) >= claims.Expires {
		return nil, &apiError{status: 400, code: "ExpiredTokenException", message: "Token expired: current date/time must be before the expiration date/time"}
	}
	result, refused := s.grantRole(form, "AssumeRoleWithWebIdentity")
	if refused != nil {
		if refused.code == "AccessDenied" {
			refused.message = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
		}
		return nil, refused
	}
	result.SubjectFromWebIdentityToken = claims.Subject
	result.Provider = claims.Issuer
	var audience string
	if json.Unmarshal(claims.Audience, &audience) == nil {
		result.Audience = audience
	}
	return result, nil
}

// grantRole issues the credentials. Roles whose name begins with "denied" refuse everybody.
func (s *Server) grantRole(form url.Values, action string) (*stsRoleResult, *apiError) {
	arn := strings.SplitN(form.Get("RoleArn"), ":", 6)
	if len(arn) != 6 || arn[0] != "arn" || arn[2] != "iam" || !strings.HasPrefix(arn[5], "role/") {
		return nil, &apiError{status: 400, code: "ValidationError", message: form.Get("RoleArn") + " is invalid"}
	}
	role := arn[5][strings.LastIndexByte(arn[5], '/')+1:]
	if strings.HasPrefix(role, "denied") {
		return nil, denied("AccessDenied", "")
	}
	life := time.Hour
	if text := form.Get("DurationSeconds"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 900 || n > 43200 {
			return nil, &apiError{status: 400, code: "ValidationError", message: "1 validation error detected: Value '" + text + "' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200"}
		}
		life = time.Duration(n) * time.Second
	}
	session := form.Get("RoleSessionName")
	roleID := "AROA" + strings.ToUpper(newDice(s.options.Seed, "role", []byte(form.Get("RoleArn"))).word(17))
	who := caller{arn: "arn:" + arn[1] + ":sts::" + arn[4] + ":assumed-role/" + role + "/" + session, userID: roleID + ":" + session}
	c := s.keys.issue(s.options.Seed, s.options.Now(), life, who)
	return &stsRoleResult{
		XMLName:         xml.Name{Local: action + "Result"},
		AssumedRoleUser: stsRoleUser{AssumedRoleID: who.userID, Arn: who.arn},
		Credentials:     stsCredentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expiration: c.Expires.Format(time.RFC3339)},
	}, nil
}

func writeSTSError(w http.ResponseWriter, c *call, e *apiError) {
	writeXML(w, e.status, stsFailure{Xmlns: stsNamespace, Error: stsError{Type: "Sender", Code: stsCode(e), Message: e.message}, RequestID: c.id})
}

func writeXML(w http.ResponseWriter, status int, v any) {
	body, err := xml.Marshal(v)
	if err != nil {
		http.Error(w, "the simulator could not encode its answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
