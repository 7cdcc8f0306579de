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

// Notify configures the webhook that is notified of new objects.
type Notify struct {
	// URL receives the notifications as POST requests. If empty, none are sent.
	URL string
	// Token is sent as the Authorization header without change, for example
	// "Bearer x". MinIO calls it auth_token.
	Token string
	// Buckets are the buckets whose new objects are notified. Empty means all.
	Buckets []string
	// Ignore reports new objects that are not notified, by their bucket, key and user
	// metadata, whose names are in lower case. nil means none.
	Ignore func(bucket, key string, metadata map[string]string) bool
	// RetryDelay is the delay before the first retry. It doubles with each retry. 0
	// means one second.
	RetryDelay time.Duration
}

const (
	// postTimeout bounds one POST request, and so how long a put waits for a slow
	// receiver.
	postTimeout = 5 * time.Second
	// maxRetries bounds the retries of one notification.
	maxRetries = 6
	// maxWaiting bounds the notifications that wait for a retry, and so the memory
	// that they use while the receiver is down.
	maxWaiting = 1000
	// defaultRetryDelay is the default of Notify.RetryDelay.
	defaultRetryDelay = time.Second
)

// webhook sends notifications. Like MinIO without a queue on disk, it loses the
// notifications that wait for a retry when the process ends.
type webhook struct {
	notify  Notify
	logger  *slog.Logger
	client  *http.Client
	ctx     context.Context // of the server: retries outlive the request that caused them
	waiting chan struct{}
	group   sync.WaitGroup
}

func newWebhook(ctx context.Context, n Notify, logger *slog.Logger) *webhook {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConnsPerHost = 64
	if n.RetryDelay == 0 {
		n.RetryDelay = defaultRetryDelay
	}
	return &webhook{
		notify: n, logger: logger, ctx: ctx, waiting: make(chan struct{}, maxWaiting),
		client: &http.Client{Timeout: postTimeout, Transport: transport},
	}
}

// wants reports whether new objects of the bucket are notified.
func (w *webhook) wants(bucket string) bool {
	return w.notify.URL != "" && (len(w.notify.Buckets) == 0 || slices.Contains(w.notify.Buckets, bucket))
}

// ignores reports whether a new object is not notified.
func (w *webhook) ignores(bucket, key string, o objectInfo) bool {
	return w.notify.Ignore != nil && w.notify.Ignore(bucket, key, o.metadata)
}

// send posts a notification. It returns after the first try: if the try failed, the
// retries run in the background, because the object is stored and its put must
// succeed.
func (w *webhook) send(name string, text []byte) {
	err := w.post(text)
	if err == nil {
		return
	}
	logger := w.logger.With("object", name, "url", w.notify.URL)
	select {
	case w.waiting <- struct{}{}:
		logger.Warn("notification failed: will retry", "error", err)
		w.group.Go(func() {
			defer func() { <-w.waiting }()
			w.retry(logger, text)
		})
	default:
		logger.Error("notification dropped: retry queue full", "error", err)
	}
}

func (w *webhook) retry(logger *slog.Logger, text []byte) {
	var err error
	for i := range maxRetries {
		select {
		case <-time.After(w.notify.RetryDelay << i):
		case <-w.ctx.Done():
			logger.Error("notification dropped: server is closing")
			return
		}
		if err = w.post(text); err == nil {
			return
		}
	}
	logger.Error("notification dropped: all retries failed", "tries", maxRetries+1, "error", err)
}

func (w *webhook) post(text []byte) error {
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, w.notify.URL, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if w.notify.Token != "" {
		req.Header.Set("Authorization", w.notify.Token)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // allows the connection to be reused
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook answered %s", resp.Status)
	}
	return nil
}

// wait returns when all retries have ended.
func (w *webhook) wait() {
	w.group.Wait()
	w.client.CloseIdleConnections()
}
