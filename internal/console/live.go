package console

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	// maxWaiting bounds the changes that wait for a page that reads slowly. Beyond them the page loads itself again.
	maxWaiting = 200
	// maxMissed bounds the changes that a page gets when it connects. Its lists have no more rows: see maxRows of live-region.js.
	maxMissed = 200
	// heartbeat is the time without a change after which a page gets a comment.
	heartbeat = 15 * time.Second
	// maxConnectTime is how long a page may take from its making to its request for live updates.
	maxConnectTime = 10 * time.Second
	// pollEvery is the time after which parts of a page that follow from many events may be sent again.
	pollEvery = time.Second
	// reloadEvent makes a page load itself again.
	reloadEvent = "event: reload\ndata:\n\n"
)

// listener is an open page.
type listener struct {
	wants   func(*run) bool
	changes chan *change
}

// change is what a run has become. Its fragments are made once for all pages.
type change struct {
	*run

	mu    sync.Mutex
	texts map[string]string
}

// text returns a fragment, which is made by the first page that needs it.
func (c *change) text(name string, make func() string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, ok := c.texts[name]
	if !ok {
		text = make()
		c.texts[name] = text
	}
	return text
}

// listen adds a listener; ok is false if there are too many.
func (f *feed) listen(wants func(*run) bool) (l *listener, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.listeners) >= f.max {
		return nil, false
	}
	l = &listener{wants: wants, changes: make(chan *change, maxWaiting)}
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
	c := &change{run: r, texts: map[string]string{}}
	for l := range f.listeners {
		if l.wants == nil || !l.wants(r) {
			continue
		}
		select {
		case l.changes <- c:
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
// parts of the executions with the given ids. A page replaces the element with the same id, or adds it. The view chain has
// the chains, the view health the tables of the page, and each view the strip, at most once a second.
func (s *Console) live(w http.ResponseWriter, r *http.Request) {
	v, err := s.viewOf(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l, ok := s.feed.listen(v.wants)
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
	s.stream(r.Context(), v, l, s.lastSeen(r), send)
}

// lastSeen returns the time up to which a page has seen changes: browsers repeat the id of the last event, and scripts give it
// as last_event_id. A page that has just been made may lack those of the time until it asks for live updates.
func (s *Console) lastSeen(r *http.Request) time.Time {
	ms, err := strconv.ParseInt(cmp.Or(r.Header.Get("Last-Event-Id"), r.FormValue("last_event_id")), 10, 64)
	if err != nil {
		return s.feed.now().Add(-maxConnectTime)
	}
	return time.UnixMilli(ms)
}

// stream sends the changes that a page wants, from a time on, until it is closed.
func (s *Console) stream(ctx context.Context, v view, l *listener, seen time.Time, send func(string) bool) {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	sent := map[[2]int]string{}
	first := fmt.Sprintf("retry: 1000\nid: %d\nevent: opened\ndata:\n\n", s.feed.now().UnixMilli())
	for _, change := range s.missed(v, seen) {
		first += s.events(v, change)
	}
	open := send(first)
	for beat := time.NewTimer(heartbeat); open; {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			open = send(": heartbeat\n\n")
			beat.Reset(heartbeat)
		case <-poll.C:
			for i, parts := range v.polled {
				for j, text := range parts() {
					if at := [2]int{i, j}; open && text != sent[at] {
						open, sent[at] = send(text), text
					}
				}
			}
		case change, ok := <-l.changes:
			if !ok { // the page was too slow: it loads itself again
				send(reloadEvent)
				return
			}
			open = send(s.changed(v, change))
		}
	}
}

// missed returns the newest changes after a time, the oldest first, as many as the page has room for. It may have some.
func (s *Console) missed(v view, seen time.Time) (all []*run) {
	if v.wants == nil {
		return nil
	}
	for _, change := range s.feed.since(seen) {
		if v.wants(change) && len(all) < maxMissed {
			all = append(all, change)
		}
	}
	slices.Reverse(all)
	return all
}

// view is what a page shows.
type view struct {
	// wants selects the runs of which it shows these fragments; nil selects none.
	wants     func(*run) bool
	fragments []string
	// data returns what the fragments show of a run; nil means the run itself.
	data func(*run) any
	// polled return server-sent events, each of which is sent when it differs from the one before at its place.
	polled []func() []string
}

// changed returns the fragments of a change as server-sent events, those that other pages show too without making them again.
func (s *Console) changed(v view, c *change) string {
	if v.data != nil {
		return s.events(v, c.run)
	}
	var b strings.Builder
	for _, name := range v.fragments {
		b.WriteString(c.text(name, func() string { return s.events(view{fragments: []string{name}}, c.run) }))
	}
	return b.String()
}

// events returns the fragments of a run as server-sent events.
func (s *Console) events(v view, r *run) string {
	var b strings.Builder
	var data any = r
	if v.data != nil {
		data = v.data(r)
	}
	for _, name := range v.fragments {
		html, err := s.fragment(name, data)
		if err != nil {
			slog.Error("fragment not made", "fragment", name, "error", err)
			continue
		}
		fmt.Fprintf(&b, "id: %d\ndata: %s\n\n", r.Updated.UnixMilli(), html)
	}
	return b.String()
}

// viewOf returns what a page shows.
func (s *Console) viewOf(r *http.Request) (v view, err error) {
	bucket := s.bucketOf(r)
	ids := r.Form["id"]
	v.polled = append(v.polled, func() []string { return s.healthEvents("strip") })
	switch name, version := r.FormValue("view"), r.FormValue("version"); {
	case name == chainView:
		v.polled = append(v.polled, func() []string { return s.chainEvents(version) })
	case name == healthView:
		v.polled = append(v.polled, func() []string { return s.healthEvents("health") })
	case name == replayedView:
		err = v.ofReplay(s.replays.get(r.FormValue("request")))
	case name == stripView:
	case len(ids) > 0:
		v.fragments = []string{"state", "images"}
		v.wants = func(x *run) bool { return x.Bucket == bucket && slices.Contains(ids, x.ID) }
	default:
		f, err := s.filterOf(r)
		if err == nil && name == deadLettersView {
			err = v.ofFresh(f, r.FormValue("after"))
		} else if err == nil {
			v.wants, v.fragments = f.matches, []string{"row"}
		}
		return v, err
	}
	return v, err
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
