package sim

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

type assumed struct {
	Role struct {
		User stsRoleUser    `xml:"AssumedRoleUser"`
		Key  stsCredentials `xml:"Credentials"`
		Sub  string         `xml:"SubjectFromWebIdentityToken"`
	} `xml:",any"`
}

func (b *bedrock) sts(key *Credential, at time.Time, pairs ...string) reply {
	b.Helper()
	form := url.Values{"Version": {"2011-06-15"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := b.request(http.MethodPost, "/", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	r.Header.Del("Authorization")
	if key != nil {
		signed(b.T, r, *key, "sts", "us-east-1", at)
	}
	return b.send(r)
}

func TestAssumedRolesWorkUntilTheyExpire(t *testing.T) {
	var offset atomic.Int64
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	now := func() time.Time { return begin.Add(time.Duration(offset.Load())) }
	b := start(t, Options{Now: now})
	own := Credential{AccessKeyID: AccessKeyID, SecretAccessKey: SecretAccessKey}
	const role = "arn:aws:iam::123456789012:role/team/chat"

	r := b.sts(&own, now(), "Action", "AssumeRole", "RoleArn", role, "RoleSessionName", "alice", "DurationSeconds", "900")
	equal(t, r.status, 200)
	equal(t, r.header.Get("Content-Type"), "text/xml")
	contains(t, string(r.body), `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>`)
	var got assumed
	if err := xml.Unmarshal(r.body, &got); err != nil {
		t.Fatal(err)
	}
	equal(t, got.Role.User.Arn, "arn:aws:sts::123456789012:assumed-role/chat/alice")
	equal(t, got.Role.Key.Expiration, "2026-01-02T03:19:05Z")
	session := Credential{AccessKeyID: got.Role.Key.AccessKeyID, SecretAccessKey: got.Role.Key.SecretAccessKey, SessionToken: got.Role.Key.SessionToken}

	chat := func() reply {
		return b.send(signed(t, b.request(http.MethodPost, modelPath(claude, "converse"), user("hi")), session, "bedrock", "eu-west-1", now()))
	}
	equal(t, chat().status, 200)
	who := b.sts(&session, now(), "Action", "GetCallerIdentity")
	contains(t, string(who.body), "<Arn>arn:aws:sts::123456789012:assumed-role/chat/alice</Arn>")
	contains(t, string(who.body), "<Account>123456789012</Account>")

	offset.Store(int64(900 * time.Second))
	late := chat()
	equal(t, late.status, 403)
	contains(t, late.header.Get("x-amzn-ErrorType"), "ExpiredTokenException:")
	r = b.sts(&session, now(), "Action", "GetCallerIdentity")
	equal(t, r.status, 403)
	contains(t, string(r.body), "<Code>ExpiredToken</Code>")
}

func TestWebIdentity(t *testing.T) {
	b := open(t)
	token := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	call := func(token string) reply {
		return b.sts(nil, time.Now(), "Action", "AssumeRoleWithWebIdentity", "RoleArn", "arn:aws:iam::123456789012:role/pod", "RoleSessionName", "pod", "WebIdentityToken", token)
	}
	r := call(token(fmt.Sprintf(`{"sub":"pod-1","exp":%d}`, time.Now().Add(time.Hour).Unix())))
	equal(t, r.status, 200)
	contains(t, string(r.body), "<SubjectFromWebIdentityToken>pod-1</SubjectFromWebIdentityToken>")
	r = call(token(`{"exp":1}`))
	equal(t, r.status, 400)
	contains(t, string(r.body), "<Code>ExpiredTokenException</Code>")
	r = call("no.jwt")
	contains(t, string(r.body), "<Code>InvalidIdentityToken</Code>")
}

func TestSTSRefuses(t *testing.T) {
	b := open(t)
	own := &Credential{AccessKeyID: AccessKeyID, SecretAccessKey: SecretAccessKey}
	f := func(key *Credential, status int, code string, pairs ...string) {
		t.Helper()
		r := b.sts(key, time.Now(), pairs...)
		equal(t, r.status, status)
		contains(t, string(r.body), "<Code>"+code+"</Code>")
	}
	const role = "arn:aws:iam::123456789012:role/x"
	f(nil, 403, "MissingAuthenticationToken", "Action", "GetCallerIdentity")
	f(&Credential{AccessKeyID: AccessKeyID, SecretAccessKey: "wrong"}, 403, "SignatureDoesNotMatch", "Action", "GetCallerIdentity")
	f(&Credential{AccessKeyID: "AKIANOBODY", SecretAccessKey: "s"}, 403, "InvalidClientTokenId", "Action", "GetCallerIdentity")
	f(own, 400, "ValidationError", "Action", "AssumeRole", "RoleArn", role)
	f(own, 400, "ValidationError", "Action", "AssumeRole", "RoleArn", role, "RoleSessionName", "a b")
	f(own, 400, "ValidationError", "Action", "AssumeRole", "RoleArn", role, "RoleSessionName", "ab", "DurationSeconds", "60")
	f(own, 400, "ValidationError", "Action", "AssumeRole", "RoleArn", strings.Repeat("x", 30), "RoleSessionName", "ab")
	f(own, 400, "MalformedPolicyDocument", "Action", "AssumeRole", "RoleArn", role, "RoleSessionName", "ab", "Policy", "{")
	f(own, 403, "AccessDenied", "Action", "AssumeRole", "RoleArn", "arn:aws:iam::123456789012:role/denied-role", "RoleSessionName", "ab")
	f(own, 400, "InvalidAction", "Action", "Dance")
}
