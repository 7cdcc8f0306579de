package console

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	// maxWaiting bounds the changes that wait for a page that reads slowly. Beyond them the page loads itself again.
	maxWaiting = 200
	// heartbeat is the time without a change after which a page gets a comment.
	heartbeat = 15 * time.Second
)

// listener is an open page.
type listener struct {
	wants   func(*run) bool
	changes chan *run
}

// listen adds a listener; ok is false if there are too many.
func (f *feed) listen(wants func(*run) bool) (l *listener, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.listeners) >= f.max {
		return nil, false
	}
	l = &listener{wants: wants, changes: make(chan *run, maxWaiting)}
	f.listeners[l] = true
	return l, true
}

// leave removes a listener.
func (f *feed) leave(l *listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listeners[l] {
		delete(f.listeners, l)
		close(l.changes)
	}
}

// send passes a run to the listeners that want it, and ends those that are too slow. The caller holds the mutex.
func (f *feed) send(r *run) {
	for l := range f.listeners {
		if !l.wants(r) {
			continue
		}
		select {
		case l.changes <- r:
		default:
			delete(f.listeners, l)
			close(l.changes)
		}
	}
}

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for l := range f.listeners {
		delete(f.listeners, l)
		close(l.changes)
	}
}

// live sends fragments of a page as server-sent events when something changes: `row` of the view executions, or the
// parts of the execution with an id. A page replaces the element with the same id, or adds it.
func (s *Console) live(w http.ResponseWriter, r *http.Request) {
	wants, render, err := s.viewOf(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l, ok := s.feed.listen(wants)
	if !ok {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many open pages", http.StatusServiceUnavailable)
		return
	}
	defer s.feed.leave(l)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would collect events
	control := http.NewResponseController(w)
	send := func(text string) bool {
		_, err := w.Write([]byte(text))
		return err == nil && control.Flush() == nil
	}
	open := send("retry: 1000\n: open\n\n")
	for beat := time.NewTimer(heartbeat); open; beat.Reset(heartbeat) {
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			open = send(": heartbeat\n\n")
		case change, ok := <-l.changes:
			if !ok { // the page was too slow: it loads itself again
				send("event: reload\ndata:\n\n")
				return
			}
			open = send(s.events(render, change))
		}
	}
}

// events returns the fragments of a change as server-sent events.
func (s *Console) events(fragments []string, change *run) string {
	var b strings.Builder
	for _, name := range fragments {
		html, err := s.fragment(name, change)
		if err != nil {
			slog.Error("fragment not made", "fragment", name, "error", err)
			continue
		}
		fmt.Fprintf(&b, "data: %s\n\n", html)
	}
	return b.String()
}

// viewOf returns which runs a page wants, and the fragments that it shows of them.
func (s *Console) viewOf(r *http.Request) (wants func(*run) bool, fragments []string, err error) {
	if id := r.FormValue("id"); id != "" {
		bucket := s.bucketOf(r)
		return func(x *run) bool { return x.ID == id && x.Bucket == bucket }, []string{"state", "images"}, nil
	}
	f, err := s.filterOf(r)
	if err != nil {
		return nil, nil, err
	}
	return func(x *run) bool { return f.matches(x) }, []string{"row"}, nil
}

// filter selects executions of a list.
type filter struct {
	Bucket, Prefix, Step, Variant string
	Status                        []imageflowv1.ProcessingStatus
	Since                         time.Time
}

func (f filter) matches(r *run) bool {
	hasStep := f.Step == "" && f.Variant == ""
	for _, s := range r.Steps {
		hasStep = hasStep || (f.Step == "" || f.Step == s.Name) && (f.Variant == "" || f.Variant == s.Variant)
	}
	hasStatus := len(f.Status) == 0
	for _, status := range f.Status {
		hasStatus = hasStatus || status == r.Status
	}
	return r.Bucket == f.Bucket && strings.HasPrefix(r.ID, f.Prefix) && hasStep && hasStatus && !r.Began.Before(f.Since)
}
