package responses

import (
	"container/list"
	"context"
	"sync"
)

// The bounds of a [Memory], in bytes and responses.
const (
	maxMemory    = 64 << 20
	maxResponses = 10_000
)

// Memory keeps responses while the process lives: those used last, within bounds. It is safe for concurrent use.
type Memory struct {
	mu sync.Mutex // guards all below
	// order has the response used last at its front; byID finds its element.
	order *list.List
	byID  map[string]*list.Element
	size  int
}

// NewMemory returns a memory that holds nothing.
func NewMemory() *Memory { return &Memory{order: list.New(), byID: map[string]*list.Element{}} }

// PutResponse keeps a response, and forgets others where there are too many. One that is too large is not kept.
func (m *Memory) PutResponse(_ context.Context, r *Response) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Size() > maxMemory/2 {
		return nil
	}
	if old := m.byID[r.ID]; old != nil {
		m.forget(old)
	}
	m.byID[r.ID] = m.order.PushFront(r)
	m.size += r.Size()
	for m.size > maxMemory || m.order.Len() > maxResponses {
		m.forget(m.order.Back())
	}
	return nil
}

func (m *Memory) forget(e *list.Element) {
	r := e.Value.(*Response) //nolint:forcetypeassert // the list holds nothing else
	m.order.Remove(e)
	delete(m.byID, r.ID)
	m.size -= r.Size()
}

// Response returns the owner's response of that id, nil if there is none.
func (m *Memory) Response(_ context.Context, owner, id string) (*Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.byID[id]
	if e == nil {
		return nil, nil //nolint:nilnil // it is not there, and that is no failure
	}
	r := e.Value.(*Response) //nolint:forcetypeassert // as above
	if r.Owner != owner {
		return nil, nil //nolint:nilnil // as above
	}
	m.order.MoveToFront(e)
	return r, nil
}

// DeleteResponse forgets the owner's response of that id, and reports whether there was one.
func (m *Memory) DeleteResponse(_ context.Context, owner, id string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.byID[id]
	if e == nil || e.Value.(*Response).Owner != owner { //nolint:forcetypeassert // as above
		return false, nil
	}
	m.forget(e)
	return true, nil
}
