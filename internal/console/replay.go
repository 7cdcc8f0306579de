package console

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// maxReplayFormBytes bounds a form with the ids of dead letters: each has up to 1024 bytes, of which a form makes five
// times as many at most.
const maxReplayFormBytes = 6 << 20

// dryRun is the data of the page that says what a replay would send.
type dryRun struct {
	Bucket  string
	Letters []deadLetter
	// Left are dead letters that were chosen and are not sent: those that are gone, and those without an event.
	Gone, WithoutEvent []string
	// BeingSent counts the dead letters of a filter that another replay sends.
	BeingSent int
	More      bool
	Failed    string
	// Nonce tells the same form twice from two equal ones.
	Nonce string
}

// Until returns the time of the last failure, in nanoseconds. What fails later has failed again, and was not confirmed.
func (d dryRun) Until() string {
	var last time.Time
	for _, letter := range d.Letters {
		last = later(last, letter.GetLastFailedAt().AsTime())
	}
	return strconv.FormatInt(last.UnixNano(), 10)
}

// ConfirmURL takes the confirmation.
func (d dryRun) ConfirmURL() string {
	return replayPath + "?" + url.Values{"bucket": {d.Bucket}}.Encode()
}

// replay shows what a replay of the chosen dead letters would send, or requests it if the form confirms that.
func (s *Console) replay(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxReplayFormBytes)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, http.StatusBadRequest, fmt.Sprintf("The form cannot be read. It may have %s.", byteCount(maxReplayFormBytes)))
		return
	}
	req, err := s.selectionOf(r)
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	if r.PostForm.Has("until") {
		s.confirmReplay(w, r, req)
		return
	}
	s.showDryRun(w, r, req, http.StatusOK, "")
}

// showDryRun answers with the page of a dry run, and with what failed before, if anything.
func (s *Console) showDryRun(
	w http.ResponseWriter, r *http.Request, req *imageflowv1.ReplayDeadLettersRequest, status int, failed string,
) {
	data := dryRun{Bucket: req.GetBucket(), Nonce: rand.Text(), Failed: failed}
	req.DryRun = true
	found, err := s.config.Executions.ReplayDeadLetters(r.Context(), req)
	if err != nil {
		data.Failed = reasonOf(err)
		s.show(w, r, httpStatus(err), "dryrun", "Dry run of a replay", data)
		return
	}
	data.More, data.Gone = found.GetMore(), found.GetNotFound()
	for _, d := range found.GetDeadLetters() {
		if d.GetInReplay() && len(req.GetIds()) == 0 {
			data.BeingSent++
			continue
		}
		data.Letters = append(data.Letters, deadLetter{d})
	}
	for _, id := range req.GetIds() {
		isID := func(d deadLetter) bool { return d.GetId() == id }
		if !slices.Contains(data.Gone, id) && !slices.ContainsFunc(data.Letters, isID) {
			data.WithoutEvent = append(data.WithoutEvent, id)
		}
	}
	s.show(w, r, status, "dryrun", "Dry run of a replay", data)
}

// selectionOf reads which dead letters a form chooses: by their ids, of an execution, or by a filter.
func (s *Console) selectionOf(r *http.Request) (*imageflowv1.ReplayDeadLettersRequest, error) {
	req := &imageflowv1.ReplayDeadLettersRequest{Bucket: s.bucketOf(r)}
	switch r.PostForm.Get("choose") {
	case "filter":
		f, err := s.filterOf(r)
		if err != nil {
			return nil, err
		}
		req.Prefix = f.Prefix
		if !f.Since.IsZero() {
			req.Since = timestamppb.New(f.Since)
		}
		req.All = req.GetPrefix() == "" && f.Since.IsZero()
		return req, nil
	case "execution":
		req.ExecutionId = r.FormValue("id")
		if req.GetExecutionId() == "" {
			return nil, errors.New("the form names no execution")
		}
		return req, nil
	case "group":
		return req, addIDs(req, r.PostForm["member"])
	}
	return req, addIDs(req, r.PostForm["id"])
}

func addIDs(req *imageflowv1.ReplayDeadLettersRequest, fields []string) error {
	for _, text := range fields {
		id, err := url.QueryUnescape(text)
		if err != nil || !utf8.ValidString(id) {
			return fmt.Errorf("%.64q is no id of a dead letter", text)
		}
		if !slices.Contains(req.Ids, id) {
			req.Ids = append(req.Ids, id)
		}
	}
	if len(req.Ids) == 0 {
		return errors.New("no dead letter was chosen")
	}
	return nil
}
