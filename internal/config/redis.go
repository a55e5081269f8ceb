package config

import (
	"cmp"
	"net"
	"net/url"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

// address returns the URL, unset if nothing says where the server is.
func (r *Redis) address() secret.Secret {
	if r.URL.IsSet() {
		return r.URL
	}
	if r.Host == "" && r.Port == "" && !r.Password.IsSet() {
		return secret.Secret{}
	}
	u := url.URL{Scheme: "redis", Host: net.JoinHostPort(cmp.Or(r.Host, "localhost"), cmp.Or(r.Port, "6379")), Path: "/" + strconv.Itoa(r.DB)}
	if r.SSL {
		u.Scheme = "rediss"
	}
	if r.Username != "" || r.Password.IsSet() {
		u.User = url.UserPassword(r.Username, r.Password.Reveal())
	}
	return secret.New(u.String())
}

// RedisURL returns where replicas of the gateway meet: general_settings.coordination_redis, else router_settings.redis_…,
// else the variables REDIS_URL, REDIS_HOST, REDIS_PORT and REDIS_PASSWORD. It is unset if nobody says.
func (c *Config) RedisURL(lookup func(string) (string, bool)) secret.Secret {
	s := &c.RouterSettings
	env := func(name string) string {
		value, _ := c.LookupEnv(lookup)(name)
		return value
	}
	for _, r := range []*Redis{
		&c.GeneralSettings.CoordinationRedis,
		{URL: s.RedisURL, Host: s.RedisHost, Port: s.RedisPort, Password: s.RedisPassword, DB: s.RedisDB},
		{URL: secret.New(env("REDIS_URL")), Host: env("REDIS_HOST"), Port: env("REDIS_PORT"), Password: secret.New(env("REDIS_PASSWORD"))},
	} {
		if u := r.address(); u.IsSet() {
			return u
		}
	}
	return secret.Secret{}
}

// CacheURL returns where the answers of a cache of type redis are kept: cache_params, else where replicas meet. It is unset if
// nobody says.
func (c *Config) CacheURL(lookup func(string) (string, bool)) secret.Secret {
	p := &c.LitellmSettings.CacheParams
	own := Redis{URL: p.URL, Host: p.Host, Port: p.Port, Password: p.Password, SSL: p.SSL}
	if u := own.address(); u.IsSet() {
		return u
	}
	return c.RedisURL(lookup)
}
