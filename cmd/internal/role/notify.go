package role

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"imageflow.dev/internal/notify"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/server"
	"imageflow.dev/internal/telemetry"
)

// maxNotifyBytes limits the bodies of events in memory.
const maxNotifyBytes = 16 << 20

// Hooks has the receivers of webhooks. A name in HOOK_URLS has at least one secret in
// HOOK_SECRETS; each secret signs, so that a receiver can change from one to the other.
type Hooks struct {
	URLs     string        `envconfig:"HOOK_URLS" desc:"receivers of webhooks, as name=URL, separated by spaces"`
	Secrets  string        `envconfig:"HOOK_SECRETS" desc:"their secrets, as name=whsec_...,whsec_..., separated by spaces"`
	Networks []string      `envconfig:"HOOK_PRIVATE_NETWORKS" desc:"private networks with receivers, such as 10.0.0.0/8"`
	UseProxy bool          `envconfig:"HOOK_USE_PROXY" desc:"deliver through the proxy of HTTPS_PROXY, which must check addresses"`
	Timeout  time.Duration `envconfig:"HOOK_TIMEOUT" default:"15s" desc:"time limit of one delivery to a webhook"`
}

// hooks returns the receivers by name. The error never shows a secret or a URL.
func (c Hooks) hooks() (map[string]notify.Hook, error) { return notify.ParseHooks(c.URLs, c.Secrets) }

// Validate reports names and values of receivers and secrets that are wrong or do not belong together.
func (c Hooks) Validate() error {
	_, err := c.hooks()
	return err
}

func (c Hooks) networks() (all []netip.Prefix, err error) {
	for _, text := range c.Networks {
		network, invalid := netip.ParsePrefix(text)
		if invalid != nil {
			err = errors.Join(err, fmt.Errorf("HOOK_PRIVATE_NETWORKS has %q but must have networks such as 10.0.0.0/8", text))
		}
		all = append(all, network)
	}
	return all, err
}

// NotifyConfig is the environment of the sender of webhooks. It needs neither the store nor
// the broker.
type NotifyConfig struct {
	Server
	Signing
	OIDC
	Hooks
}

// Validate reports every variable that is missing or out of range.
func (c *NotifyConfig) Validate() error {
	_, networks := c.networks()
	return errors.Join(c.Server.validate(), c.Signing.validate(), c.OIDC.validate(), c.Hooks.Validate(), networks,
		atLeast("HOOK_TIMEOUT", c.Timeout, time.Millisecond))
}

func listenNotify(c *NotifyConfig, t *telemetry.Tracing) (Process, error) {
	hooks, err := c.hooks()
	if err != nil {
		return nil, err
	}
	networks, err := c.networks()
	if err != nil {
		return nil, err
	}
	signer, err := c.Signer()
	if err != nil {
		return nil, err
	}
	verifier, err := c.verifier()
	if err != nil {
		return nil, err
	}
	events := notify.New(notify.Config{
		Hooks: hooks, Signer: signer, Timeout: c.Timeout, PrivateNetworks: networks, UseProxy: c.UseProxy,
		WrapTransport: t.Transport,
	})
	routes := http.NewServeMux()
	routes.Handle("POST /{$}", t.Handler(verifier.Require(events)))
	return server.Listen(c.serve("notify", maxNotifyBytes), nil, routes, serving())
}

// checkHook returns an error if a Trigger's query names no hook of the environment.
func checkHook(_ *presets.Set, query string) error {
	var c Hooks
	if err := Load(&c); err != nil {
		return err
	}
	hooks, err := c.hooks()
	if err != nil {
		return err
	}
	return notify.Check(hooks, query)
}
