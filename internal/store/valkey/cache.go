package valkey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/outcrop-ai/outcrop/internal/cache"
)

// Answers keep answers for all replicas. It implements cache.Store.
type Answers struct {
	client *redis.Client
	prefix string
}

// Answers returns the answers that replicas share through the server. namespace stands in their names.
func (r *Replicas) Answers(namespace string) *Answers {
	prefix := r.prefix + ":answer:"
	if namespace != "" {
		prefix += namespace + ":"
	}
	return &Answers{client: r.client, prefix: prefix}
}

// answerTime bounds how long a request waits for the server.
const answerTime = 200 * time.Millisecond

func failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("valkey: %w", err)
}

// Get returns the entry of a key, nil if there is none.
func (a *Answers) Get(ctx context.Context, key cache.Key) (*cache.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	data, err := a.client.Get(ctx, a.prefix+key.String()).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil //nolint:nilnil // see cache.Store
	}
	if err != nil {
		return nil, failed(err)
	}
	var e cache.Entry
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, nil //nolint:nilnil // of another version: it is made anew
	}
	return &e, nil
}

// Put keeps an entry for a time.
func (a *Answers) Put(ctx context.Context, key cache.Key, e *cache.Entry, ttl time.Duration) error {
	if ttl <= 0 {
		return nil
	}
	data, err := json.Marshal(e)
	if err != nil {
		return failed(err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return failed(a.client.Set(ctx, a.prefix+key.String(), data, ttl).Err())
}

// Delete forgets entries.
func (a *Answers) Delete(ctx context.Context, keys []cache.Key) error {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = a.prefix + k.String()
	}
	if len(names) == 0 {
		return nil
	}
	return failed(a.client.Del(ctx, names...).Err())
}

// Flush forgets all entries.
func (a *Answers) Flush(ctx context.Context) error {
	const batch = 500
	names := make([]string, 0, batch)
	all := a.client.Scan(ctx, 0, a.prefix+"*", batch).Iterator()
	for all.Next(ctx) {
		if names = append(names, all.Val()); len(names) == batch {
			if err := a.client.Del(ctx, names...).Err(); err != nil {
				return failed(err)
			}
			names = names[:0]
		}
	}
	if err := all.Err(); err != nil {
		return failed(err)
	}
	if len(names) == 0 {
		return nil
	}
	return failed(a.client.Del(ctx, names...).Err())
}

// Ping reports whether the server can be reached.
func (a *Answers) Ping(ctx context.Context) error { return failed(a.client.Ping(ctx).Err()) }
