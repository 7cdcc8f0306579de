package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"code.dny.dev/ssrf"

	"imageflow.dev/internal/events"
)

const (
	// maxAnswerBytes limits the part of a receiver's answer that is read, for the reason.
	maxAnswerBytes = 512
	userAgent      = "ImageFlow"
	// maxHeaderBytes limits the header of a receiver's answer.
	maxHeaderBytes = 16 << 10
)

// newClient returns a client that follows no redirects, and connects only to public addresses and
// to private networks of the config. Of a proxy, only its own address is checked.
func newClient(c Config) *http.Client {
	var v4, v6 []netip.Prefix
	for _, network := range c.PrivateNetworks {
		if network.Addr().Is4() {
			v4 = append(v4, network)
		} else {
			v6 = append(v6, network)
		}
	}
	allowed := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	var proxy func(*http.Request) (*url.URL, error)
	if c.UseProxy {
		proxy = http.ProxyFromEnvironment
	}
	var transport http.RoundTripper = &http.Transport{
		Proxy:                  proxy,
		DialContext:            (&net.Dialer{Control: allowed.Safe}).DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	if c.WrapTransport != nil {
		transport = c.WrapTransport(transport)
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// outcome is the outcome of one delivery and the answer to the broker.
type outcome struct {
	// status is the status for the broker: 202 after a delivery.
	status     int
	retryAfter string
	reason     string
	took       time.Duration
}

// deliver posts a message to a hook once.
func (h *Handler) deliver(ctx context.Context, name string, m *message) (result outcome) {
	start := time.Now()
	defer func() { result.took = time.Since(start) }()
	ctx, cancel := context.WithTimeout(ctx, h.config.Timeout)
	defer cancel()
	r, err := h.newRequest(ctx, h.config.Hooks[name], m)
	if err != nil {
		return outcome{status: http.StatusUnprocessableEntity, reason: err.Error()}
	}
	resp, err := h.client.Do(r)
	if err != nil {
		return h.explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		return outcome{status: http.StatusAccepted}
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	result = outcome{
		status: statusFor(resp.StatusCode), retryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
		reason: fmt.Sprintf("the receiver answered %d: %s", resp.StatusCode, strings.ToValidUTF8(string(text), "\uFFFD")),
	}
	if resp.StatusCode/100 == 3 {
		result.reason = fmt.Sprintf("the receiver answered %d: redirects are not followed; HOOK_URLS must have the final URL",
			resp.StatusCode)
	}
	return result
}

func (h *Handler) newRequest(ctx context.Context, hook Hook, m *message) (*http.Request, error) {
	payload, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	for name, value := range m.trace { // the trace of this delivery, if there is one, replaces it
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", userAgent)
	return r, hook.sign(r.Header, m.id, time.Now(), payload)
}

// statusFor returns the status for the broker after an answer that is not 2xx. Brokers retry 429,
// 502 and 503, and no other of these statuses. A receiver that answers 404 or 409 will hardly answer
// otherwise soon, but brokers retry them, so they become 422.
func statusFor(receiver int) int {
	switch {
	case receiver >= 500:
		return http.StatusBadGateway
	case receiver == http.StatusTooManyRequests:
		return receiver
	case receiver == http.StatusRequestTimeout, receiver == http.StatusTooEarly:
		return http.StatusServiceUnavailable
	case receiver < 400, events.Retried(receiver):
		return http.StatusUnprocessableEntity
	}
	return receiver
}

// maxRetryAfter bounds the pause that a receiver may ask for.
const maxRetryAfter = time.Hour

// retryAfter returns the seconds of a Retry-After header, which has seconds or a date (RFC 9110, section 10.2.3), at most
// maxRetryAfter; empty if it has neither.
func retryAfter(header string, now time.Time) string {
	limit := uint64(maxRetryAfter / time.Second)
	seconds, err := strconv.ParseUint(header, 10, 64)
	if at, isDate := http.ParseTime(header); isDate == nil {
		seconds, err = uint64(max(0, at.Sub(now).Seconds())), nil
	}
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return ""
	}
	return strconv.FormatUint(min(seconds, limit), 10)
}

// explain returns the outcome of a delivery without an answer. Its reason does not contain the
// URL, which may contain a secret.
func (h *Handler) explain(err error) outcome {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	switch {
	case errors.Is(err, ssrf.ErrProhibitedIP):
		return outcome{status: http.StatusUnprocessableEntity,
			reason: fmt.Sprintf("%v; HOOK_PRIVATE_NETWORKS allows private networks", err)}
	case errors.Is(err, context.DeadlineExceeded):
		return outcome{status: http.StatusGatewayTimeout, reason: fmt.Sprintf("no answer within %v", h.config.Timeout)}
	}
	return outcome{status: http.StatusServiceUnavailable, reason: err.Error()}
}
