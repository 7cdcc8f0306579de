package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// pageSize is the number of executions in a page.
const pageSize = 50

// executionList is the data of the page of executions.
type executionList struct {
	Runs   []*run
	Form   listForm
	Steps  []string
	States []string
	Live   string // the URL of live updates; empty on later pages
	Next   string // the URL of the next page
	Note   string
	Failed string // why there is no list
}

// listForm has the texts of the filter's form.
type listForm struct{ Prefix, Status, Step, Variant, Since string }

func formOf(r *http.Request) listForm {
	return listForm{
		Prefix: r.FormValue("prefix"), Status: r.FormValue("status"), Step: r.FormValue("step"), Variant: r.FormValue("variant"),
		Since: r.FormValue("since"),
	}
}

var stateNames = []string{"pending", "running", "completed", "failed"}

// executions shows a page of the executions that a filter selects, the newest first.
func (s *Console) executions(w http.ResponseWriter, r *http.Request) {
	data := executionList{Form: formOf(r), Steps: stepNames, States: stateNames}
	f, err := s.filterOf(r)
	if err != nil {
		data.Failed = err.Error()
		s.show(w, r, http.StatusBadRequest, "executions", "Executions", data)
		return
	}
	req := &imageflowv1.ListExecutionsRequest{
		Bucket: f.Bucket, Prefix: f.Prefix, Status: f.Status, Step: f.Step, Variant: f.Variant, PageSize: pageSize,
		PageToken: r.FormValue("page_token"),
	}
	if !f.Since.IsZero() {
		req.Since = timestamppb.New(f.Since)
	}
	list, err := s.config.Executions.ListExecutions(r.Context(), req)
	if err != nil {
		data.Failed = reasonOf(err)
		s.show(w, r, httpStatus(err), "executions", "Executions", data)
		return
	}
	for _, e := range list.GetExecutions() {
		isListed := func(r *run) bool { return r.Bucket == e.GetBucket() && r.ID == e.GetExecutionId() }
		if !slices.ContainsFunc(data.Runs, isListed) { // by its newest version
			data.Runs = append(data.Runs, s.newest(summaryRun(e)))
		}
	}
	query := r.URL.Query()
	if req.GetPageToken() == "" {
		data.Live = livePath + "?" + query.Encode()
		data.Runs = s.withUnlisted(data.Runs, f, list.GetNextPageToken() != "" && !list.GetFromBucket())
	}
	if list.GetNextPageToken() != "" {
		query.Set("page_token", list.GetNextPageToken())
		data.Next = "/executions?" + query.Encode()
	}
	if list.GetFromBucket() {
		data.Note = "These executions are older than the index. They come from the bucket, in the order of their keys."
	}
	s.show(w, r, http.StatusOK, "executions", "Executions", data)
}

// newest returns what the events said of an execution if it is newer than the list, which may be a second late.
func (s *Console) newest(listed *run) *run {
	seen := s.feed.get(listed.Bucket, listed.ID)
	if seen == nil || seen.ETag != listed.ETag || len(seen.Steps) < len(listed.Steps) {
		return listed
	}
	return seen
}

// withUnlisted adds the executions of the last seconds that the list does not have yet, up to a page of them. If there are
// more pages, these have the executions that began before those of the list.
func (s *Console) withUnlisted(runs []*run, f filter, isMore bool) []*run {
	if isMore && len(runs) > 0 {
		f.Since = later(f.Since, runs[len(runs)-1].Began)
	}
	var fresh []*run
	for _, seen := range s.feed.since(time.Now().Add(-5 * time.Second)) {
		isListed := slices.ContainsFunc(runs, func(r *run) bool { return r.ID == seen.ID && r.Bucket == seen.Bucket })
		if !isListed && f.matches(seen) {
			fresh = append(fresh, seen)
		}
	}
	slices.SortStableFunc(fresh, func(a, b *run) int { return b.Began.Compare(a.Began) })
	return append(fresh[:min(len(fresh), pageSize)], runs...)
}

// since returns the runs that changed after a time, the last changed first.
func (f *feed) since(at time.Time) (all []*run) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for e := f.order.Front(); e != nil; e = e.Next() {
		r := e.Value.(*run)
		if r.Updated.Before(at) {
			return all
		}
		all = append(all, r)
	}
	return all
}

// filterOf reads the filter of a list.
func (s *Console) filterOf(r *http.Request) (filter, error) {
	f := filter{Bucket: s.bucketOf(r), Prefix: r.FormValue("prefix"), Step: r.FormValue("step"), Variant: r.FormValue("variant")}
	if text := r.FormValue("status"); text != "" {
		for state, word := range statusWords {
			if word == text {
				f.Status = append(f.Status, state)
			}
		}
		if len(f.Status) == 0 {
			return f, fmt.Errorf("status %.20q is none of %q", text, stateNames)
		}
	}
	if f.Step != "" && !slices.Contains(stepNames, f.Step) {
		return f, fmt.Errorf("step %.20q is none of %q", f.Step, stepNames)
	}
	if text := r.FormValue("since"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return f, errors.New("since must be a duration such as 15m or 2h")
		}
		f.Since = time.Now().Add(-d)
	}
	return f, nil
}

// bucketOf returns the bucket that a request names, or the default.
func (s *Console) bucketOf(r *http.Request) string {
	if bucket := r.FormValue("bucket"); bucket != "" {
		return bucket
	}
	return s.config.Bucket
}

// reasonOf returns the message of a gateway's error, for people.
func reasonOf(err error) string {
	e := status.Convert(err)
	if e.Code() == codes.Unavailable {
		return "The gateway does not answer: " + e.Message()
	}
	return e.Message()
}

// httpStatus returns the status of a page that the gateway could not answer.
func httpStatus(err error) int {
	switch status.Code(err) {
	case codes.NotFound:
		return http.StatusNotFound
	case codes.InvalidArgument, codes.OutOfRange:
		return http.StatusBadRequest
	case codes.ResourceExhausted, codes.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadGateway
}

// executionPage is the data of the page of one execution.
type executionPage struct {
	Run      *run
	TraceURL string
	// Bench is the bench with the upload and the steps whose parameters are known.
	Bench  string
	Copies []stepCopy
	// Tags are the tags of the upload.
	Tags []tag
	// DeadLetters are the events that can be sent again, and ReplayURL takes the dry run.
	DeadLetters []deadLetter
	ReplayURL   string
	// Unknown says why there are no dead letters.
	Unknown string
}

// execution shows one execution: its images, times and failure.
func (s *Console) execution(w http.ResponseWriter, r *http.Request) {
	bucket, id := s.bucketOf(r), r.FormValue("id")
	seen := s.feed.get(bucket, id)
	e, err := s.config.Executions.GetExecution(r.Context(), &imageflowv1.GetExecutionRequest{Bucket: bucket, ExecutionId: id})
	switch {
	case err != nil && seen == nil:
		s.fail(w, r, httpStatus(err), reasonOf(err))
		return
	case err == nil:
		stored := runOf(bucket, e)
		if seen != nil {
			stored.Steps = withKnownTimes(stored.Steps, seen.Steps)
			stored.Began, stored.Updated, stored.TraceID = seen.Began, seen.Updated, seen.TraceID // to the millisecond
			stored.Width, stored.Height = seen.Width, seen.Height
		}
		seen = stored
	}
	page := executionPage{Run: seen, TraceURL: s.traceURL(seen.TraceID)}
	s.addCopies(r, &page)
	s.addFailures(r.Context(), &page)
	s.show(w, r, http.StatusOK, "execution", "Execution", page)
}
