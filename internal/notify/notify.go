// Package notify sends webhooks: it posts the events that it receives to configured URLs, signed
// as the Standard Webhooks specification defines. The broker retries: each answer reports the
// outcome of one delivery.
package notify

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/signature"
)

// Config of a Handler.
type Config struct {
	// Hooks are the receivers, by name. Each is valid, as Hook.Check finds. No event can name
	// another URL.
	Hooks map[string]Hook
	// Signer verifies each event. Nil accepts every event.
	Signer *signature.Signer
	// Timeout limits one delivery, from the connection to the end of the answer.
	Timeout time.Duration
	// PrivateNetworks are the networks that receivers may be in, besides the public Internet. A
	// name that resolves to another private address is not called.
	PrivateNetworks []netip.Prefix
	// UseProxy sends deliveries through the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name. The proxy decides to
	// which addresses it connects; its own must be public or in PrivateNetworks.
	UseProxy bool
	// WrapTransport wraps the HTTP transport to the receivers. It may be nil.
	WrapTransport func(http.RoundTripper) http.RoundTripper
}

// Handler delivers the events that it receives.
type Handler struct {
	config Config
	client *http.Client
}

// New returns a handler.
func New(c Config) *Handler { return &Handler{config: c, client: newClient(c)} }

// Check returns an error if a Trigger's query does not name exactly one of the hooks, as hook=NAME.
func Check(hooks map[string]Hook, query string) error {
	values, err := url.ParseQuery(query)
	if err != nil || len(values) != 1 || len(values["hook"]) != 1 {
		return fmt.Errorf("the query %.64q does not have the form hook=NAME", query)
	}
	if _, ok := hooks[values.Get("hook")]; ok {
		return nil
	}
	known := slices.Sorted(maps.Keys(hooks))
	if len(known) == 0 {
		return fmt.Errorf("hook: there is no %.40q, since HOOK_URLS names none", values.Get("hook"))
	}
	return fmt.Errorf("hook: there is no %.40q; HOOK_URLS has %.400s", values.Get("hook"), strings.Join(known, ", "))
}

// ServeHTTP posts the message of an event to the hook that the query names. It answers
//
//   - 202 if the receiver accepted it,
//   - 400, 401, 413 or 415 if the event is not valid, or no hook has the name,
//   - the receiver's outcome otherwise, with the reason as text: 429, 502, 503 or 504, which brokers
//     retry, or another status of 400 to 499, which they do not.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := h.config.Signer.Read(w, r, httpevent.ReadValid)
	if errors.Is(err, signature.ErrUnsigned) || errors.Is(err, signature.ErrInvalid) {
		slog.WarnContext(r.Context(), "event refused", "reason", err)
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), httpevent.Status(err))
		return
	}
	if err := Check(h.config.Hooks, r.URL.RawQuery); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m, err := newMessage(e)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	name := r.URL.Query().Get("hook")
	result := h.deliver(r.Context(), name, m)
	record(r.Context(), name, result)
	if result.status == http.StatusAccepted {
		w.WriteHeader(result.status)
		return
	}
	slog.WarnContext(r.Context(), "webhook not delivered", "hook", name, "message", m.id, "execution", m.Data.ExecutionID,
		"status", result.status, "reason", result.reason)
	if result.retryAfter != "" {
		w.Header().Set("Retry-After", result.retryAfter)
	}
	http.Error(w, fmt.Sprintf("webhook %s: %s", name, result.reason), result.status)
}
