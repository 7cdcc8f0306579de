package s3server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Notify says who is told of the new objects of which buckets.
type Notify struct {
	// URL is posted to; empty tells no one.
	URL string
	// Token is sent verbatim as the Authorization header, as MinIO's auth_token
	// is ("Bearer x").
	Token string
	// Buckets are those watched; none means all.
	Buckets []string
}

const (
	// postPatience is how long a put may wait for a listener that is slow.
	postPatience = 5 * time.Second
	// retries is how often, at doubling distances, a post is tried again.
	retries = 6
	// maxWaiting is how many notifications may wait for another try. It bounds
	// the memory while the listener is away.
	maxWaiting = 1000
)

// firstRetry is the first distance between two tries.
var firstRetry = time.Second

// posts sends notifications. Like MinIO without a queue on disk, it forgets those
// not yet accepted when the process ends.
type posts struct {
	notify  Notify
	logger  *slog.Logger
	client  *http.Client
	ctx     context.Context // ends the waiting; of the server, since a put ends before
	waiting chan struct{}
	group   sync.WaitGroup
}

func newPosts(ctx context.Context, n Notify, logger *slog.Logger) *posts {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConnsPerHost = 64
	return &posts{
		notify: n, logger: logger, ctx: ctx, waiting: make(chan struct{}, maxWaiting),
		client: &http.Client{Timeout: postPatience, Transport: transport},
	}
}

func (p *posts) wanted(bucket string) bool {
	return p.notify.URL != "" && (len(p.notify.Buckets) == 0 || slices.Contains(p.notify.Buckets, bucket))
}

// send posts a notification, and returns when it was accepted or failed for the
// first time: the object is stored, and its put must succeed.
func (p *posts) send(name string, text []byte) {
	err := p.post(text)
	if err == nil {
		return
	}
	logger := p.logger.With("object", name, "url", p.notify.URL)
	select {
	case p.waiting <- struct{}{}:
		logger.Warn("a new object could not be told of yet", "error", err)
		p.group.Go(func() {
			defer func() { <-p.waiting }()
			p.sendLater(logger, text)
		})
	default:
		logger.Error("a new object was told of in vain: too many wait", "error", err)
	}
}

func (p *posts) sendLater(logger *slog.Logger, text []byte) {
	var err error
	for i := range retries {
		select {
		case <-time.After(firstRetry << i):
		case <-p.ctx.Done():
			logger.Error("a new object was told of in vain: the server ends")
			return
		}
		if err = p.post(text); err == nil {
			return
		}
	}
	logger.Error("a new object was told of in vain", "tries", retries+1, "error", err)
}

func (p *posts) post(text []byte) error {
	req, err := http.NewRequestWithContext(p.ctx, http.MethodPost, p.notify.URL, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if p.notify.Token != "" {
		req.Header.Set("Authorization", p.notify.Token)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection serves again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return nil
}

// wait returns when nothing waits for another try any more.
func (p *posts) wait() {
	p.group.Wait()
	p.client.CloseIdleConnections()
}
