package broker

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sosodev/duration"
)

// delivery says how often and when an event is sent, and where to in the end.
type delivery struct {
	// retry is how often it is sent again after the first time.
	retry int
	// timeout of one sending; zero is the broker's own.
	timeout     time.Duration
	delay       time.Duration
	exponential bool
	// sink gets what failed; nil drops it.
	sink *destination
}

// defaultDelivery is of Brokers that say nothing, as Knative ships it.
var defaultDelivery = delivery{retry: 10, delay: 200 * time.Millisecond, exponential: true}

// maxBackoff bounds the exponential growth.
const maxBackoff = 10 * time.Minute

// minLetterWait keeps dead letters from being posted without a pause.
const minLetterWait = 100 * time.Millisecond

// backoff returns how long to wait after the n-th sending, counted from 1. As in
// Knative, the first wait of the linear policy is none.
func (d delivery) backoff(n int) time.Duration {
	factor := float64(n - 1)
	if d.exponential {
		factor = math.Exp2(float64(n - 1))
	}
	return time.Duration(min(float64(d.delay)*factor, float64(max(maxBackoff, d.delay))))
}

type deliveryText struct {
	Retry          *int             `json:"retry"`
	Timeout        *string          `json:"timeout"`
	BackoffPolicy  *string          `json:"backoffPolicy"`
	BackoffDelay   *string          `json:"backoffDelay"`
	DeadLetterSink *destinationText `json:"deadLetterSink"`
}

func (t *deliveryText) parse(field, namespace string) (d delivery, err error) {
	var errs []error
	note := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.%s: %w", field, name, err))
		}
	}
	if t.Retry != nil {
		if d.retry = *t.Retry; d.retry < 0 {
			note("retry", fmt.Errorf("%d is negative", d.retry))
		}
	}
	if t.Timeout != nil {
		d.timeout, err = parsePeriod(*t.Timeout)
		if err == nil && d.timeout == 0 {
			err = errors.New("it is zero")
		}
		note("timeout", err)
	}
	if t.BackoffPolicy != nil {
		d.exponential = *t.BackoffPolicy == "exponential"
		if !d.exponential && *t.BackoffPolicy != "linear" {
			note("backoffPolicy", fmt.Errorf("%q is neither linear nor exponential", *t.BackoffPolicy))
		}
	}
	if t.BackoffDelay != nil {
		d.delay, err = parsePeriod(*t.BackoffDelay)
		note("backoffDelay", err)
	}
	if (t.BackoffPolicy == nil) != (t.BackoffDelay == nil) {
		note("backoffPolicy", errors.New("Knative heeds backoffPolicy and backoffDelay only together"))
	}
	if t.DeadLetterSink != nil {
		sink, err := t.DeadLetterSink.parse(field+".deadLetterSink", namespace)
		errs = append(errs, err)
		d.sink = &sink
	}
	return d, errors.Join(errs...)
}

func parsePeriod(text string) (time.Duration, error) {
	d, err := duration.Parse(text)
	if err != nil || d.Negative || !strings.ContainsAny(text, "0123456789") {
		return 0, fmt.Errorf("%q is no duration of ISO 8601 such as PT0.5S", text)
	}
	return d.ToTimeDuration(), nil
}
