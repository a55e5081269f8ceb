package identity

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/llm"
)

const codeCredentials = wire.CodeCredentials

// failure says what failed, without saying what was tried with. It returns nil for nil.
func (i *Identity) failure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err() // the call's end, which its sender puts into words
	}
	var known *llm.Error
	if errors.As(err, &known) {
		return known
	}
	e := &llm.Error{Kind: llm.KindPermission, Code: codeCredentials, Cause: err}
	var answered smithy.APIError
	var login *loginError
	var token *tokenError
	var missing config.SharedConfigProfileNotExistError
	switch {
	case errors.As(err, &login):
		e.Message = "the SSO session of " + i.about + " has expired, or there is none"
		e.Hint = "Run aws sso login --profile " + login.profile + " where the gateway runs, as the user that it runs as."
	case errors.As(err, &answered) && i.remote:
		i.refused(e, answered)
	case errors.Is(err, errClosed):
		e.Kind, e.Message = llm.KindUnavailable, "the gateway is shutting down"
	case i.unreachable(err):
		e.Kind = llm.KindUnavailable
		e.Message = "the service that gives AWS credentials cannot be reached: " + i.about
	case errors.As(err, &token):
		e.Message = "no AWS credentials from " + i.about + ": " + token.Error()
	case errors.Is(err, errProcess):
		e.Message = err.Error()
	case errors.As(err, &missing):
		e.Message = "no AWS credentials from " + i.about + ": the shared AWS files have no such profile"
		e.Hint = "Look at AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, or HOME, of the gateway's process."
	case i.tried != "":
		e.Message = "no AWS credentials: tried " + i.tried
		e.Hint = "Set api_key, aws_access_key_id, aws_profile_name or aws_role_name for the model, or give the process's environment an AWS identity."
	default:
		e.Message = "no AWS credentials from " + i.about
	}
	return e
}

// refused fills e with what AWS answered instead of credentials.
func (i *Identity) refused(e *llm.Error, answered smithy.APIError) {
	e.AWSType = answered.ErrorCode()
	e.Message = "AWS gave no credentials for " + i.about + ": " + answered.ErrorMessage()
	var response interface{ HTTPStatusCode() int }
	if answered.ErrorFault() == smithy.FaultServer || errors.As(e.Cause, &response) && response.HTTPStatusCode() >= http.StatusInternalServerError {
		e.Kind = llm.KindUnavailable
	}
	if e.AWSType == "AccessDenied" || e.AWSType == "AccessDeniedException" {
		e.Hint = i.grant(principalOf(answered.ErrorMessage()))
	}
}

// unreachable tells a service that did not answer from credentials that do not exist.
func (i *Identity) unreachable(err error) bool {
	var notSent interface{ ConnectionError() bool }
	silent := errors.As(err, &notSent) && notSent.ConnectionError() || errors.Is(err, context.DeadlineExceeded)
	return silent && (i.remote || i.credentials.had())
}

// grant says what IAM must permit so that the identity comes about. principal is who was refused, "" when AWS did not say.
func (i *Identity) grant(principal string) string {
	if i.role == nil {
		return "The source identity needs sts:AssumeRole on the role, and the role's trust policy must name that identity."
	}
	actions := i.role.actions()
	if i.role.token != nil {
		return "The trust policy of " + i.role.arn + " must permit " + strings.Join(actions, " and ") +
			" to the token's issuer, for its audience and its subject."
	}
	who := "The source identity"
	if principal != "" {
		who = principal
	}
	return who + " needs this statement in its policy: " + statement(actions, i.role.arn) + ", and the trust policy of " + i.role.arn +
		" must permit " + strings.Join(actions, " and ") + " to it" + i.role.conditions() + "."
}

// actions are the IAM actions that assuming the role takes.
func (r *role) actions() []string {
	list := []string{"sts:AssumeRole"}
	if r.token != nil {
		list[0] = "sts:AssumeRoleWithWebIdentity"
	}
	if len(r.tags) > 0 {
		list = append(list, "sts:TagSession")
	}
	if r.source != "" {
		list = append(list, "sts:SetSourceIdentity")
	}
	return list
}

func (r *role) conditions() string {
	if r.external == "" {
		return ""
	}
	return ", with the external id that is configured"
}

// statement is a statement of an IAM policy.
func statement(actions []string, resource string) string {
	text, err := json.Marshal(struct {
		Effect   string
		Action   []string
		Resource string
	}{"Allow", actions, resource})
	if err != nil {
		return strings.Join(actions, ", ") + " on " + resource
	}
	return string(text)
}

// principalOf finds who was refused in the message of an AccessDenied: "User: ARN is not authorized to perform: …".
func principalOf(message string) string {
	rest, ok := strings.CutPrefix(message, "User: ")
	if !ok {
		return ""
	}
	arn, _, ok := strings.Cut(rest, " is not authorized")
	if !ok || !strings.HasPrefix(arn, "arn:") {
		return ""
	}
	return arn
}

// loginError is a profile of IAM Identity Center whose session has ended: only a person can begin another one.
type loginError struct {
	profile string
	err     error
}

func (e *loginError) Error() string {
	return "aws sso login --profile " + e.profile + ": " + e.err.Error()
}

func (e *loginError) Unwrap() error { return e.err }

// wantsLogin reports whether err, of a profile of IAM Identity Center, is about its session, rather than about the role
// or the network.
func wantsLogin(err error) bool {
	var notSent interface{ ConnectionError() bool }
	if errors.As(err, &notSent) && notSent.ConnectionError() || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	var answered smithy.APIError
	if !errors.As(err, &answered) {
		return true // there is no token, it cannot be read, or it is too old
	}
	switch answered.ErrorCode() {
	case "UnauthorizedException", "ExpiredTokenException", "InvalidGrantException", "InvalidClientException":
		return true
	}
	return false
}
