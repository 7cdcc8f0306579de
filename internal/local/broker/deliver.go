package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	"imageflow.dev/internal/httpevent"
)

// failure is the reason why a delivery failed.
type failure struct {
	code  int // HTTP status
	data  []byte
	retry bool
	// accepted means that the receiver answered 2xx but the answer is malformed.
	accepted bool
}

// text returns the start of the answer, for the log.
func (f *failure) text() string { return string(f.data[:min(len(f.data), 200)]) }

func newClient(c Config) *http.Client {
	var transport http.RoundTripper = &http.Transport{MaxIdleConnsPerHost: c.Workers, IdleConnTimeout: 90 * time.Second}
	if c.WrapTransport != nil {
		transport = c.WrapTransport(transport)
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post posts an event in binary mode and returns the event in the answer, or nil if the
// answer is empty. The request is part of the event's trace.
func (b *Broker) post(to string, e event, timeout time.Duration) (*event, *failure) {
	ctx, cancel := context.WithTimeout(e.trace(b.delivering), timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(e.data))
	if err != nil {
		return nil, noAnswer(err)
	}
	req.Header = maps.Clone(e.header)
	req.Header.Set("Prefer", "reply")
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, noAnswer(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxEventBytes+1))
	if err != nil {
		return nil, noAnswer(err)
	}
	return readAnswer(resp, body)
}

// noAnswer returns the failure of a delivery without an answer, with the code that Knative
// uses for it.
func noAnswer(err error) *failure {
	return &failure{code: http.StatusInternalServerError, data: []byte("dispatch error: " + err.Error()), retry: true}
}

// readAnswer returns the event in an answer. As in Knative, an answer that is neither empty
// nor an event is a bad gateway, after which the broker retries.
func readAnswer(resp *http.Response, body []byte) (*event, *failure) {
	if code := resp.StatusCode; code < 200 || code > 299 {
		return nil, &failure{code: code, data: body, retry: retried(code)}
	}
	if len(body) > maxEventBytes {
		return nil, badAnswer(fmt.Errorf("it is larger than %d bytes", maxEventBytes))
	}
	e, err := readEvent(resp.Header, body)
	switch {
	case err == nil:
		return &e, nil
	case errors.Is(err, httpevent.ErrNoEvent) && len(body) == 0:
		return nil, nil
	}
	return nil, badAnswer(err)
}

func badAnswer(err error) *failure {
	return &failure{
		code: http.StatusBadGateway, data: []byte("the answer must be empty or a CloudEvent: " + err.Error()),
		retry: true, accepted: true,
	}
}

// retried reports whether Knative retries after an HTTP status. internal/events has the
// same table for the other side; a test compares them.
func retried(code int) bool {
	switch code {
	case http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return code >= 500
}
