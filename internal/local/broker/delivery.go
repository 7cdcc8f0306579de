package broker

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sosodev/duration"
)

// delivery configures the retries of an event and the sink of its dead letter.
type delivery struct {
	// retry limits the deliveries after the first one.
	retry int
	// timeout limits one delivery. 0 means Config.Timeout.
	timeout     time.Duration
	delay       time.Duration
	exponential bool
	// sink receives the dead letters. Nil drops them.
	sink *destination
}

// defaultDelivery is the delivery of Brokers without one. It is Knative's default.
var defaultDelivery = delivery{retry: 10, delay: 200 * time.Millisecond, exponential: true}

// maxBackoff limits exponential backoff.
const maxBackoff = 10 * time.Minute

// minDeadLetterWait is the minimum time between two deliveries of a dead letter.
const minDeadLetterWait = 100 * time.Millisecond

// backoff returns the wait after delivery n, counted from 1. As in Knative, the first wait
// of the linear policy is 0.
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
	addError := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.%s: %w", field, name, err))
		}
	}
	if t.Retry != nil {
		if d.retry = *t.Retry; d.retry < 0 {
			addError("retry", fmt.Errorf("%d is negative", d.retry))
		}
	}
	if t.Timeout != nil {
		d.timeout, err = parsePeriod(*t.Timeout)
		if err == nil && d.timeout == 0 {
			err = errors.New("it must not be zero")
		}
		addError("timeout", err)
	}
	if t.BackoffPolicy != nil {
		d.exponential = *t.BackoffPolicy == "exponential"
		if !d.exponential && *t.BackoffPolicy != "linear" {
			addError("backoffPolicy", fmt.Errorf("%q is neither linear nor exponential", *t.BackoffPolicy))
		}
	}
	if t.BackoffDelay != nil {
		d.delay, err = parsePeriod(*t.BackoffDelay)
		addError("backoffDelay", err)
	}
	if (t.BackoffPolicy == nil) != (t.BackoffDelay == nil) {
		addError("backoffPolicy", errors.New("must be given together with backoffDelay, as Knative uses both or none"))
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
		return 0, fmt.Errorf("%q is not an ISO 8601 duration such as PT0.5S", text)
	}
	return d.ToTimeDuration(), nil
}
