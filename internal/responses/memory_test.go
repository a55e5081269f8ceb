package responses

import (
	"context"
	"strconv"
	"strings"
	"testing"
)

func TestMemoryKeepsAResponseForItsOwnerAlone(t *testing.T) {
	m, ctx := NewMemory(), context.Background()
	put(t, m, &Response{ID: "resp_1", Owner: "ann"})
	f := func(owner, id string, want bool) {
		t.Helper()
		if r, err := m.Response(ctx, owner, id); err != nil || (r != nil) != want {
			t.Errorf("%s for %s: %v, %v", id, owner, r, err)
		}
	}
	f("ann", "resp_1", true)
	f("ben", "resp_1", false)
	f("", "resp_1", false)
	f("ann", "resp_2", false)
	if gone, _ := m.DeleteResponse(ctx, "ben", "resp_1"); gone {
		t.Error("another's response was deleted")
	}
	if gone, _ := m.DeleteResponse(ctx, "ann", "resp_1"); !gone {
		t.Error("it could not be deleted")
	}
	f("ann", "resp_1", false)
	if m.size != 0 {
		t.Errorf("an empty memory counts %d bytes", m.size)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := NewMemory()
	for i := range maxResponses + 10 {
		put(t, m, &Response{ID: strconv.Itoa(i)})
	}
	if n := m.order.Len(); n != maxResponses {
		t.Errorf("%d responses", n)
	}
	large := []byte(strings.Repeat("x", maxMemory/3))
	for i := range 5 {
		put(t, m, &Response{ID: "large" + strconv.Itoa(i), Input: large})
	}
	if m.size > maxMemory || m.order.Len() != len(m.byID) {
		t.Errorf("%d bytes in %d responses, %d known", m.size, m.order.Len(), len(m.byID))
	}
	put(t, m, &Response{ID: "huge", Input: make([]byte, maxMemory)})
	if r, _ := m.Response(context.Background(), "", "huge"); r != nil {
		t.Error("a response larger than the memory was kept")
	}
}

func put(t *testing.T, m *Memory, r *Response) {
	t.Helper()
	if err := m.PutResponse(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}
