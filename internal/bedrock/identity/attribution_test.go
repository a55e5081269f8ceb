package identity

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// chatRole is a role of the fake STS, assumed with a static key.
func chatRole(sts *fakeSTS) Options {
	o := keyed("AKIAPARAM", "k", "")
	o.RoleARN, o.STSEndpoint = "arn:aws:iam::2:role/chat", sts.URL
	return o
}

func TestSessionsNameTheirCallers(t *testing.T) {
	sts := newSTS(t)
	p := newPool(t, nil)
	s := p.Attribute(Attribution{
		SessionName: FromUser, MaxSessions: 10,
		Tags: []SourcedTag{
			{Key: "CostCenter", Text: "4711"},
			{Key: "Team", From: FromTeam},
			{Key: "Key", From: FromKey},
			{Key: "Alias", From: FromKeyAlias},
			{Key: "EndUser", From: FromEndUser},
		},
	})
	o := chatRole(sts)
	o.SessionTags = []Tag{{"Stage", "prod"}}
	f := func(who Names, name, team, endUser string) *Identity {
		t.Helper()
		i, err := s.For(o, who)
		if err != nil {
			t.Fatal(err)
		}
		before := sts.calls()
		if _, err := proof(t, i); err != nil {
			t.Fatal(err)
		}
		if sts.calls() == before {
			return i // known
		}
		want := url.Values{
			"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {o.RoleARN}, "RoleSessionName": {name},
			"Tags.member.1.Key": {"Alias"}, "Tags.member.1.Value": {"ci"}, "Tags.member.2.Key": {"CostCenter"}, "Tags.member.2.Value": {"4711"},
			"Tags.member.3.Key": {"EndUser"}, "Tags.member.3.Value": {endUser}, "Tags.member.4.Key": {"Key"}, "Tags.member.4.Value": {"0123456789abcdef"},
			"Tags.member.5.Key": {"Stage"}, "Tags.member.5.Value": {"prod"}, "Tags.member.6.Key": {"Team"}, "Tags.member.6.Value": {team},
		}
		if got := sts.form(before).Encode(); got != want.Encode() {
			t.Errorf("\n got %s\nwant %s", got, want.Encode())
		}
		return i
	}
	who := Names{Key: "0123456789abcdef", KeyAlias: "ci", Team: "Forschung & Büro", User: "ada@corp", EndUser: "u-1"}
	ada := f(who, "ada@corp", tagValueOf(who.Team), "u-1")
	who.User, who.EndUser = "bob@corp", "u-2"
	bob := f(who, "bob@corp", tagValueOf(who.Team), "u-2")
	who.User, who.EndUser = "ada@corp", "u-1"
	if again := f(who, "", "", ""); again != ada || ada == bob {
		t.Error("a caller's session is not the caller's")
	}
	if n := sts.calls(); n != 2 {
		t.Errorf("STS was asked %d times for two callers", n)
	}
	if got := o.SessionTags; len(got) != 1 {
		t.Errorf("the deployment's own tags are %v", got)
	}
}

func TestTheSameCallerAsksSTSOnce(t *testing.T) {
	sts := newSTS(t)
	sts.gate = make(chan struct{})
	s := newPool(t, nil).Attribute(Attribution{SessionName: FromEndUser, MaxSessions: 1})
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			i, err := s.For(chatRole(sts), Names{EndUser: "ada"})
			if err == nil {
				_, err = proof(t, i)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	close(sts.gate)
	wg.Wait()
	if n := sts.calls(); n != 1 {
		t.Errorf("STS was asked %d times", n)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	sts := newSTS(t)
	p := newPool(t, nil)
	now := time.Now()
	p.now = func() time.Time { return now }
	s := p.Attribute(Attribution{SessionName: FromEndUser, MaxSessions: 2})
	f := func(user string, want error) {
		t.Helper()
		if _, err := s.For(chatRole(sts), Names{EndUser: user}); !errors.Is(err, want) {
			t.Errorf("%s: %v", user, err)
		}
	}
	f("ada", nil)
	f("bob", nil)
	f("cyd", ErrFull)
	now = now.Add(40 * time.Minute)
	f("bob", nil)
	f("cyd", ErrFull)
	now = now.Add(40 * time.Minute)
	f("cyd", nil) // ada has been idle for more than an hour
	f("ada", ErrFull)
	f("bob", nil)
}

func TestSessionsNeedARoleAndAName(t *testing.T) {
	sts := newSTS(t)
	p := newPool(t, nil)
	named, tagged := p.Attribute(Attribution{SessionName: FromTeam, MaxSessions: 9}), p.Attribute(Attribution{Tags: []SourcedTag{{Key: "Team", From: FromTeam}}, MaxSessions: 9})
	var missing *MissingError
	for _, s := range []*Sessions{named, tagged} {
		if _, err := s.For(chatRole(sts), Names{User: "ada"}); !errors.As(err, &missing) || missing.Source != FromTeam {
			t.Errorf("no team: %v", err)
		}
		if _, err := s.For(keyed("AKIAPARAM", "k", ""), Names{Team: "a"}); !errors.Is(err, ErrNoRole) {
			t.Errorf("no role: %v", err)
		}
	}
	// A web identity's tags are in its token.
	web := Options{RoleARN: "arn:aws:iam::2:role/chat", WebIdentity: secret.New(jwt("x")), STSEndpoint: sts.URL}
	if _, err := tagged.For(web, Names{Team: "a1"}); !errors.Is(err, ErrNoRole) {
		t.Errorf("tags on a web identity: %v", err)
	}
	i, err := named.For(web, Names{Team: "a1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proof(t, i); err != nil || sts.form(0).Get("RoleSessionName") != "a1" || sts.form(0).Get("Action") != "AssumeRoleWithWebIdentity" {
		t.Errorf("%v %v", err, sts.form(0))
	}
}

func TestASessionThatIsRefusedNamesTheStatement(t *testing.T) {
	sts := newSTS(t)
	sts.fail = "AccessDenied"
	s := newPool(t, nil).Attribute(Attribution{Tags: []SourcedTag{{Key: "Team", From: FromTeam}}, MaxSessions: 9})
	i, err := s.For(chatRole(sts), Names{Team: "research"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = proof(t, i)
	if e := wantError(t, err, llm.KindPermission); !strings.Contains(e.Hint, "sts:TagSession") {
		t.Errorf("the hint %q", e.Hint)
	}
}

func TestExpiredSessionsAreRenewed(t *testing.T) {
	sts := newSTS(t)
	s := newPool(t, nil).Attribute(Attribution{SessionName: FromUser, MaxSessions: 9})
	i, err := s.For(chatRole(sts), Names{User: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	r := newRequest(t)
	if err := i.For("bedrock", "us-east-1").Authenticate(t.Context(), r, emptyHash); err != nil {
		t.Fatal(err)
	}
	if !i.For("bedrock", "us-east-1").Invalidate(r) {
		t.Error("there is nothing to renew")
	}
	if got, err := proof(t, i); err != nil || got != "ASIA2 session2" {
		t.Errorf("%s %v", got, err)
	}
}

func TestNamesOfSessionsAreSTSs(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := sessionNameOf(text); got != want || !validSessionName(got) {
			t.Errorf("sessionNameOf(%q) = %q, want %q", text, got, want)
		}
	}
	f("ada@corp.example", "ada@corp.example")
	f("7f1c5f0e-1f0c-4d0a-9d3f-0c6f3a0b9a11", "7f1c5f0e-1f0c-4d0a-9d3f-0c6f3a0b9a11")
	f("a/b", "a-b-c14cddc033")
	f("a b", "a-b-c8687a08aa")
	f("x", "x-2d711642b7")
	f(strings.Repeat("n", 64), strings.Repeat("n", 64))
	f(strings.Repeat("n", 65), strings.Repeat("n", 53)+"-1e3fb6d545")

	tag := func(text, want string) {
		t.Helper()
		if got := tagValueOf(text); got != want {
			t.Errorf("tagValueOf(%q) = %q, want %q", text, got, want)
		}
	}
	tag("Büro 7: a+b=c/d@e_f.g-h", "Büro 7: a+b=c/d@e_f.g-h")
	tag("R&D", "R-D-1d168db4dc")
	tag(strings.Repeat("ü", 256), strings.Repeat("ü", 256))
}

// TestNoTwoCallersBecomeOne tries what is made for collisions: texts that differ where they are cut or cleaned, and texts
// that look like what others become.
func TestNoTwoCallersBecomeOne(t *testing.T) {
	valid := regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,256}$`)
	names, values := map[string]string{}, map[string]string{}
	try := func(text string) {
		t.Helper()
		name, value := sessionNameOf(text), tagValueOf(text)
		if !validSessionName(name) || !valid.MatchString(value) {
			t.Errorf("%q becomes %q and %q", text, name, value)
		}
		for _, x := range []struct {
			of  map[string]string
			got string
		}{{names, name}, {values, value}} {
			if other, taken := x.of[x.got]; taken && other != text {
				t.Errorf("%q and %q both become %q", other, text, x.got)
			}
			x.of[x.got] = text
		}
	}
	texts := []string{"a", "a-b", "a/b", "a b", "a&b", "a\x00b", "a\xffb", "a\ufffdb", "ü", "ö", "-", "\n", "é", "e\u0301"}
	for n := range 300 {
		texts = append(texts, strings.Repeat("n", n+1), strings.Repeat("ü", n+1), fmt.Sprintf("%0260d", n))
	}
	for _, text := range texts {
		try(text)
		try(sessionNameOf(text))
		try(tagValueOf(text))
		try(sessionNameOf(sessionNameOf(text)))
	}
}

func FuzzNamesOfSessions(f *testing.F) {
	f.Add("ada@corp")
	f.Add("R&D \xff")
	f.Add(strings.Repeat("é", 300))
	valid := regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$`)
	f.Fuzz(func(t *testing.T, text string) {
		if name := sessionNameOf(text); !validSessionName(name) {
			t.Errorf("%q becomes the name %q", text, name)
		}
		if value := tagValueOf(text); !valid.MatchString(value) {
			t.Errorf("%q becomes the value %q", text, value)
		}
	})
}

func TestRolesAreAssumedWithAnotherIdentity(t *testing.T) {
	sts := newSTS(t)
	p := newPool(t, environ{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "k"})
	source, err := p.For(chatRole(sts))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{RoleARN: "arn:aws:iam::3:role/other", STSEndpoint: sts.URL, Source: source}
	i := wantProof(t, p, o, "ASIA2 session2")
	if !strings.Contains(sts.auth(0), "Credential=AKIAPARAM/") || !strings.Contains(sts.auth(1), "Credential=ASIA1/") {
		t.Errorf("signed by %s, then %s", sts.auth(0), sts.auth(1))
	}
	if again, err := p.For(o); err != nil || again != i {
		t.Errorf("the same is another: %v", err)
	}
	plain := o
	plain.Source = nil
	if other, err := p.For(plain); err != nil || other == i {
		t.Errorf("the ambient identity's role is the same: %v", err)
	}
	bearer, err := p.For(Options{APIKey: secret.New("token")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.For(Options{RoleARN: o.RoleARN, Source: bearer}); !errors.Is(err, errSource) {
		t.Errorf("an API key assumes a role: %v", err)
	}
}
