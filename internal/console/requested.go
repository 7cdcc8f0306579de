package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	requestedPath = deadLettersPath + "/requested"
	// maxReplays bounds the requested replays that a console remembers, to some 10 MB.
	maxReplays = 10
)

// replays remembers which replays people have requested here, by name, so that a page can show what became of them.
type replays struct {
	requests singleflight.Group

	mu     sync.Mutex
	all    map[string]*requestedReplay
	oldest []string
}

// requestedReplay is a replay that was requested. It never changes.
type requestedReplay struct {
	Bucket string
	At     time.Time
	// Letters are the dead letters as they were, without their reasons.
	Letters []deadLetter
	// Left are the ids of those that are not sent: they were gone, or had failed again.
	Left []string
}

func (p *replays) get(name string) *requestedReplay {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[name]
}

// once requests a replay unless that has happened before under the name, and waits while it happens.
func (p *replays) once(name string, request func() (*requestedReplay, error)) error {
	_, err, _ := p.requests.Do(name, func() (any, error) {
		if p.get(name) != nil {
			return nil, nil
		}
		r, err := request()
		if err == nil {
			p.add(name, r)
		}
		return nil, err
	})
	return err
}

func (p *replays) add(name string, r *requestedReplay) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[string]*requestedReplay{}
	}
	p.all[name], p.oldest = r, append(p.oldest, name)
	if len(p.oldest) > maxReplays {
		delete(p.all, p.oldest[0])
		p.oldest = slices.Clone(p.oldest[1:])
	}
}

// errNothingLeft means that none of the confirmed dead letters is as it was in the dry run.
var errNothingLeft = errors.New("nothing was sent: since the dry run, these dead letters were sent or failed again")

// confirmReplay requests the replay of the dead letters with the ids of a form, once for each dry run. Those that have
// failed since then, so are not what was confirmed, are left out.
func (s *Console) confirmReplay(w http.ResponseWriter, r *http.Request, req *imageflowv1.ReplayDeadLettersRequest) {
	nanoseconds, err := strconv.ParseInt(r.PostForm.Get("until"), 10, 64)
	if err != nil || len(req.GetIds()) == 0 {
		s.fail(w, r, http.StatusBadRequest, "The form has no dry run. Choose the dead letters again.")
		return
	}
	name := domID("replay", append([]string{req.GetBucket(), r.PostForm.Get("nonce")}, req.GetIds()...)...)
	err = s.replays.once(name, func() (*requestedReplay, error) {
		return s.requestReplay(r.Context(), req, time.Unix(0, nanoseconds))
	})
	switch {
	case errors.Is(err, errNothingLeft):
		s.showDryRun(w, r, req, http.StatusConflict, err.Error())
	case err != nil:
		s.showDryRun(w, r, req, httpStatus(err), reasonOf(err))
	default:
		http.Redirect(w, r, requestedPath+"?"+url.Values{"request": {name}}.Encode(), http.StatusSeeOther)
	}
}

// requestReplay requests the replay of those dead letters with the ids of req that have not failed after a time.
func (s *Console) requestReplay(
	ctx context.Context, req *imageflowv1.ReplayDeadLettersRequest, until time.Time,
) (*requestedReplay, error) {
	found, err := s.config.Executions.ReplayDeadLetters(ctx, &imageflowv1.ReplayDeadLettersRequest{
		Bucket: req.GetBucket(), Ids: req.GetIds(), DryRun: true,
	})
	if err != nil {
		return nil, err
	}
	confirmed := &imageflowv1.ReplayDeadLettersRequest{Bucket: req.GetBucket()}
	for _, d := range found.GetDeadLetters() {
		if !d.GetLastFailedAt().AsTime().After(until) {
			confirmed.Ids = append(confirmed.Ids, d.GetId())
		}
	}
	if len(confirmed.GetIds()) == 0 {
		return nil, errNothingLeft
	}
	replay := &requestedReplay{Bucket: req.GetBucket(), At: time.Now()}
	sent, err := s.config.Executions.ReplayDeadLetters(ctx, confirmed)
	switch {
	case err != nil:
		return nil, err
	case len(sent.GetDeadLetters()) == 0: // others were faster
		return nil, errNothingLeft
	}
	for _, id := range req.GetIds() {
		if !slices.ContainsFunc(sent.GetDeadLetters(), func(d *imageflowv1.DeadLetter) bool { return d.GetId() == id }) {
			replay.Left = append(replay.Left, id) // failed again, or gone
		}
	}
	for _, d := range sent.GetDeadLetters() {
		replay.Letters = append(replay.Letters, deadLetter{&imageflowv1.DeadLetter{
			Id: d.GetId(), ExecutionId: d.GetExecutionId(), Bucket: d.GetBucket(), ObjectKey: d.GetObjectKey(), Etag: d.GetEtag(),
			Step: clipped(d.GetStep()), Code: d.GetCode(), LastFailedAt: d.GetLastFailedAt(),
		}})
	}
	return replay, nil
}

// clipped returns the first 200 bytes of a text.
func clipped(text string) string { return strings.ToValidUTF8(text[:min(len(text), 200)], "…") }
