package layout

import (
	"go/ast"
	"path"
	"testing"
)

// promises are what users are promised of keys, money, routing and outages, each with the tests that hold us to it. Those of
// both run on SQLite and on Postgres: a promise that holds on one database is none.
var promises = []struct {
	promise string
	// both and other are tests, by folder and name.
	both, other []string
}{
	{"LiteLLM's configurations load, and a misspelt name is told by its place", nil, []string{"internal/config.TestDocumentedConfigs", "cmd/outcrop.TestCheckNamesEveryMistakeByItsPlace"}},
	{"every path has its spellings; others are 404 and 405", nil, []string{"internal/gateway.TestEverySpellingOfAPathIsServed", "internal/gateway.TestUnknownPathsAndMethods"}},
	{"a key opens the gateway from each place that clients know, the first that has one, and from no other", []string{"internal/gateway.TestAKeyIsTakenFromEachPlaceAndNoOther"}, []string{"internal/account.TestFirstPlaceCounts"}},
	{"every refusal has its status, type and code in each dialect", []string{"internal/gateway.TestRefusalsInEachDialect"}, nil},
	{"nothing but the open routes answers without a key", []string{"internal/gateway.TestEveryRouteAsksForAKeyUnlessItIsOpen"}, nil},
	{"a publicly known master key opens nothing to the outside", nil, []string{"cmd/outcrop.TestTheKeyDecidesWhoIsListenedTo"}},
	{"a key is made, used, blocked, unblocked, given a new text and deleted, here and on other gateways; LiteLLM's digests are keys", []string{"internal/gateway.TestLifeOfAKey", "internal/gateway.TestKeysOfTwoGateways", "internal/gateway.TestChangesAreHeardFromOtherGateways", "internal/gateway.TestChangesAreSeenWithoutValkey"}, nil},
	{"a key's text is nowhere but in the answer that makes it", []string{"internal/gateway.TestKeyTextsAreNowhere", "cmd/outcrop.TestNoSecretInAnySink"}, nil},
	{"a model needs the right of the key, the team and the organization", []string{"internal/gateway.TestModelRightsHoldEverywhere", "internal/gateway.TestEndUsers", "internal/gateway.TestRolesAndRoutes", "internal/gateway.TestUsersOwnKeys"}, nil},
	{"a request over the budget is refused, and a burst runs over by one request at most", []string{"internal/gateway.TestBudgetsOfAllOwners", "internal/gateway.TestKeysThatNeverRunOverTheirBudget", "internal/gateway.TestABurstOfRequestsOverrunsABudgetByOne", "internal/gateway.TestABudgetBeginsAtWhatTheBooksSay", "cmd/outcrop.TestTwoGatewaysKeepOneLimit"}, []string{"internal/gateway.TestABurstOfWhatIsPaidForBesideTokens", "internal/gateway.TestJobsHoldWhatTheyMayCost"}},
	{"a budget begins anew at the border of its zone's calendar, to the second", []string{"internal/account.TestBudgetsEndAtTheBorderOfTheirZonesCalendar"}, []string{"internal/account.TestPeriodsBeginAtTheBordersOfTheCalendar"}},
	{"limits are told before they are reached, and hold; a stream that is left gives its place back", []string{"internal/gateway.TestLimitsOfKeys", "internal/gateway.TestRequestsUnderWayOfAKey"}, nil},
	{"each call has one row, and the rows are what key, team, user and gateway have spent", []string{"internal/gateway.TestRowsOfEveryKindAddUp", "internal/gateway.TestSpendReports", "internal/gateway.TestSpendLogs", "internal/gateway.TestSpendAsCSV", "internal/gateway.TestDailyActivity", "internal/gateway.TestWhoSeesWhichSpend", "internal/store/relational.TestColumnsThatPeopleRead"}, nil},
	{"a row has what its client, its key and its team want to find in it, and where the call came from unless that is switched off", []string{"internal/gateway.TestMetadataOfRows", "internal/gateway.TestMetadataThatNoRowHas", "cmd/outcrop.TestRowsHaveTheAddressesOfClients"}, []string{"internal/gateway.TestAddressesOfRows"}},
	{"tokens read from caches, and written to them for five minutes or an hour, are paid for apart", []string{"internal/gateway.TestTokensOfCachesAreBookedByTheirPrice"}, []string{"internal/account.TestLinesAddUpAndNeverFall", "internal/gateway.TestNativeUsage"}},
	{"what was said is kept where the configuration says so, and old rows go", []string{"cmd/outcrop.TestBodiesAreKeptWhereTheConfigurationSaysSo", "cmd/outcrop.TestBodiesOfAWSsOwnAPIAreKept", "cmd/outcrop.TestOldRowsAreRemoved"}, nil},
	{"no answered request is without its row, however the gateway ends", []string{"cmd/outcrop.TestKilledAtAnyMomentTheGatewayLosesNoRowAndCountsNoneTwice", "cmd/outcrop.TestTwoGatewaysOnOneFolder", "cmd/outcrop.TestLedgerVerify", "cmd/outcrop.TestAFullLogRefusesRequestsOrDropsRows"}, nil},
	{"a deployment that throttles or fails is left for the next, and its group for the next", nil, []string{"internal/gateway.TestTriesAndFallbacks"}},
	{"a deployment that fails is left alone, and found out about by one call", nil, []string{"internal/gateway.TestCooldown", "internal/engine.TestOneCallFindsOut"}},
	{"a stream is tried again before its first content, never after it", nil, []string{"internal/gateway.TestStreamsAreTriedAgain"}},
	{"choices follow their weights", nil, []string{"internal/router.TestShuffleFollowsWeights"}},
	{"a hidden alias works, and is not listed", nil, []string{"internal/gateway.TestModels"}},
	{"the cache obeys its words, keeps tenants apart and comes after limits of keys", []string{"internal/gateway.TestAnswersOfTheCacheAreForThoseWhoMayReadThem", "internal/gateway.TestLimitsHoldForAnswersOfTheCache", "internal/gateway.TestWordsAboutTheCacheThatAKeyMayNotSay"}, []string{"internal/gateway.TestWhatARequestSaysOfTheCache", "internal/gateway.TestWhatShapesAnAnswerIsPartOfItsKey"}},
	{"a response is its key's alone", []string{"internal/gateway.TestAResponseIsItsKeysAlone", "internal/gateway.TestResponsesAreKeptForTheirKey"}, nil},
	{"a client's headers go up only where they may", nil, []string{"internal/engine.TestHeadersGoUpOnlyWhereTheyMay"}},
	{"SIGTERM cuts no stream before its time, and each has its row", []string{"cmd/outcrop.TestShutdownLetsStreamsFinish", "cmd/outcrop.TestWhatOutlastsTheGracePeriodIsEndedAndBooked"}, nil},
	{"a database or a Valkey that is away, silent or slow fails nobody who is known, and is found again by itself", []string{"cmd/outcrop.TestKeysWhileTheDatabaseIsAway", "internal/account.TestADirectoryOfARealStore"}, []string{"cmd/outcrop.TestKeysWhilePostgresIsPaused", "cmd/outcrop.TestReplicas", "internal/store/postgres.TestOutages", "internal/store/postgres.TestSlowServer"}},
	{"dashboards find LiteLLM's names", nil, []string{"internal/telemetry/metrics.TestACallByLiteLLMsNames"}},
}

// TestPromisesHaveTheirTests: each test is there, and those that are to run on both databases do.
func TestPromisesHaveTheirTests(t *testing.T) {
	tests := map[string]bool{} // by folder and name: whether it runs on both
	for _, f := range goFiles(t) {
		if !f.isTest() {
			continue
		}
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				tests[path.Clean(f.folder())+"."+fn.Name.Name] = runsOnBoth(fn)
			}
		}
	}
	for _, p := range promises {
		for _, name := range p.both {
			if onBoth, there := tests[name]; !there || !onBoth {
				t.Errorf("%s: there is no test %s that runs on both databases", p.promise, name)
			}
		}
		for _, name := range p.other {
			if _, there := tests[name]; !there {
				t.Errorf("%s: there is no test %s", p.promise, name)
			}
		}
	}
}

// runsOnBoth reports whether a test calls databases.Each, or the gateway's onBoth, which does.
func runsOnBoth(fn *ast.FuncDecl) (found bool) {
	ast.Inspect(fn, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			switch f := call.Fun.(type) {
			case *ast.SelectorExpr:
				x, isName := f.X.(*ast.Ident)
				found = found || isName && x.Name == "databases" && f.Sel.Name == "Each"
			case *ast.Ident:
				found = found || f.Name == "onBoth"
			}
		}
		return true
	})
	return found
}
