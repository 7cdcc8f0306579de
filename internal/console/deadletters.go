package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	deadLettersPath = "/dead-letters"
	replayPath      = deadLettersPath + "/replay"
	// The views of live updates.
	deadLettersView = "dead-letters"
	replayedView    = "replayed"
	// deadLetterPageSize is the number of dead letters in a page, whose groups are of this page.
	deadLetterPageSize = 200
)

// deadLetterList is the data of the page of dead letters.
type deadLetterList struct {
	Groups []*deadLetterGroup
	Count  int
	Form   listForm
	// ReplayURL takes the dry run of the chosen ones, and ReplayAllURL of all that the filter selects.
	ReplayURL, ReplayAllURL string
	Live                    string // the URL of live updates
	Next                    string // the URL of the next page
	Failed                  string // why there is no list
}

// deadLetterPage shows a page of the dead letters that a filter selects, in groups.
func (s *Console) deadLetterPage(w http.ResponseWriter, r *http.Request) {
	data, began := deadLetterList{Form: formOf(r)}, time.Now()
	f, err := s.filterOf(r)
	if err != nil {
		data.Failed = err.Error()
		s.show(w, r, http.StatusBadRequest, "deadletters", "Dead letters", data)
		return
	}
	req := &imageflowv1.ListDeadLettersRequest{
		Bucket: f.Bucket, Prefix: f.Prefix, PageSize: deadLetterPageSize, PageToken: r.FormValue("page_token"),
	}
	if !f.Since.IsZero() {
		req.Since = timestamppb.New(f.Since)
	}
	list, err := s.config.Executions.ListDeadLetters(r.Context(), req)
	if err != nil {
		data.Failed = reasonOf(err)
		s.show(w, r, httpStatus(err), "deadletters", "Dead letters", data)
		return
	}
	data.Count, data.Groups = len(list.GetDeadLetters()), groupDeadLetters(list.GetDeadLetters())
	data.ReplayURL = replayPath + "?" + url.Values{"bucket": {f.Bucket}}.Encode()
	query := url.Values{"bucket": {f.Bucket}, "prefix": {f.Prefix}, "since": {data.Form.Since}}
	data.ReplayAllURL = replayPath + "?" + query.Encode()
	data.Live = livePath + "?view=" + deadLettersView + "&after=" + strconv.FormatInt(began.UnixMilli(), 10) + "&" + query.Encode()
	if list.GetNextPageToken() != "" {
		query.Set("page_token", list.GetNextPageToken())
		data.Next = deadLettersPath + "?" + query.Encode()
	}
	s.show(w, r, http.StatusOK, "deadletters", "Dead letters", data)
}

// ofFresh shows the executions that have failed after the page of dead letters was made, at a time in milliseconds.
func (v *view) ofFresh(f filter, after string) error {
	milliseconds, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		return errors.New("after must be a time in milliseconds")
	}
	made := time.UnixMilli(milliseconds)
	v.wants = func(x *run) bool {
		return x.Bucket == f.Bucket && strings.HasPrefix(x.ID, f.Prefix) && x.Failure.GetFailedAt().AsTime().After(made)
	}
	v.fragments = []string{"fresh"}
	return nil
}

// deadLettersOf returns the dead letters of an execution that can be replayed.
func (s *Console) deadLettersOf(ctx context.Context, bucket, id string) (all []deadLetter, err error) {
	found, err := s.config.Executions.ReplayDeadLetters(ctx, &imageflowv1.ReplayDeadLettersRequest{
		Bucket: bucket, ExecutionId: id, DryRun: true,
	})
	return lettersOf(found.GetDeadLetters()), err
}

// deadLetter is a dead letter as the pages show it.
type deadLetter struct{ *imageflowv1.DeadLetter }

func lettersOf(all []*imageflowv1.DeadLetter) (letters []deadLetter) {
	for _, d := range all {
		letters = append(letters, deadLetter{d})
	}
	return letters
}

// FormID returns the id for a field of a form, in which browsers would change line breaks.
func (d deadLetter) FormID() string { return url.QueryEscape(d.GetId()) }

// Name returns what people know the dead letter by: its image, its execution, or else its own key.
func (d deadLetter) Name() string {
	switch {
	case d.GetObjectKey() != "":
		return d.GetObjectKey()
	case d.GetExecutionId() != "":
		return d.GetExecutionId()
	}
	return d.GetId()
}

// ImageURL returns the URL of the image that failed; empty if it is none that browsers could show.
func (d deadLetter) ImageURL() string {
	if !strings.HasPrefix(shownType(objects.Info{Key: d.GetObjectKey()}), "image/") {
		return ""
	}
	return objectURL(d.GetBucket(), d.GetObjectKey(), d.GetEtag())
}

// ExecutionURL returns the page of the execution; empty if the dead letter names none.
func (d deadLetter) ExecutionURL() string {
	if d.GetExecutionId() == "" {
		return ""
	}
	return (&run{Bucket: d.GetBucket(), ID: d.GetExecutionId()}).URL()
}
