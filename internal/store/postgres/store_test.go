package postgres

import (
	"testing"

	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/internal/store/storetest"
	"github.com/outcrop-ai/outcrop/test/servers"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect opens a store that is closed with the test, and waits for the database.
func connect(t *testing.T, url string) *relational.Store {
	t.Helper()
	s, err := Open(url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	<-s.Ready()
	return s
}

func TestConformance(t *testing.T) {
	server := servers.StartPostgres(t)
	storetest.Run(t, func(t *testing.T) (*relational.Store, func() *relational.Store) {
		url := server.Database(t)
		return connect(t, url), func() *relational.Store { return connect(t, url) }
	})
}

// BenchmarkScale is SQLite's.
func BenchmarkScale(b *testing.B) {
	s, err := Open(servers.StartPostgres(b).Database(b), Options{})
	if err != nil {
		b.Fatal(err)
	}
	<-s.Ready()
	storetest.Scale(b, s)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
