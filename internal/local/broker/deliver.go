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
)

// failure is why an event was not taken.
type failure struct {
	code  int
	data  []byte
	retry bool
	// taken is set where the answer is at fault, not the receiver's taking.
	taken bool
}

// text is the start of the answer, for the log.
func (f *failure) text() string { return string(f.data[:min(len(f.data), 200)]) }

func newClient(c Config) *http.Client {
	var wire http.RoundTripper = &http.Transport{MaxIdleConnsPerHost: c.Workers, IdleConnTimeout: 90 * time.Second}
	if c.Wire != nil {
		wire = c.Wire(wire)
	}
	return &http.Client{
		Transport:     wire,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post posts an event in binary mode and returns the event in the answer, or
// nil where the answer is empty. It is part of the event's trace.
func (b *Broker) post(to string, e event, timeout time.Duration) (*event, *failure) {
	ctx, cancel := context.WithTimeout(e.trace(b.delivering), timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(e.data))
	if err != nil {
		return nil, unanswered(err)
	}
	req.Header = maps.Clone(e.header)
	req.Header.Set("Prefer", "reply")
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, unanswered(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxEventBytes+1))
	if err != nil {
		return nil, unanswered(err)
	}
	return readAnswer(resp, body)
}

// unanswered is the failure of a delivery without an answer, with the code that
// Knative gives it.
func unanswered(err error) *failure {
	return &failure{code: http.StatusInternalServerError, data: []byte("dispatch error: " + err.Error()), retry: true}
}

// readAnswer reads an answer by Knative's rules: what is not empty must be an
// event, and is a bad gateway else, which is tried again.
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
	case errors.Is(err, errNoEvent) && len(body) == 0:
		return nil, nil
	}
	return nil, badAnswer(err)
}

func badAnswer(err error) *failure {
	return &failure{
		code: http.StatusBadGateway, data: []byte("the answer must be empty or a CloudEvent: " + err.Error()),
		retry: true, taken: true,
	}
}

// retried tells the answers after which Knative tries again.
func retried(code int) bool {
	switch code {
	case http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return code >= 500
}
