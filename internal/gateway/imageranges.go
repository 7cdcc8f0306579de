package gateway

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// standardize removes a Range header that is to be ignored, and writes others as http.ServeContent reads them.
func standardize(r *http.Request) {
	set, isRange := oneRange(r.Header.Get("Range"))
	r.Header.Del("Range")
	if isRange && r.Method == http.MethodGet { // RFC 9110, 14.2: only GET has ranges
		r.Header.Set("Range", "bytes="+set)
	}
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if lists := r.Header.Values(name); len(lists) > 1 {
			r.Header.Set(name, strings.Join(lists, ", "))
		}
	}
}

// beyond is a range that no image has.
const beyond = "9223372036854775807-"

// oneRange returns the only range of bytes in a Range header. Other headers are ignored (RFC 9110, 14.2): other units,
// malformed or empty ranges, and several, each of which would be a request to the store.
func oneRange(header string) (set string, ok bool) {
	unit, set, _ := strings.Cut(header, "=")
	first, last, isRange := strings.Cut(set, "-")
	if !strings.EqualFold(unit, "bytes") || !isRange {
		return "", false
	}
	from, err := strconv.ParseUint(first, 10, 63)
	to, errTo := strconv.ParseUint(last, 10, 63)
	switch {
	case first == "" && errTo == nil && to == 0:
		return beyond, true // RFC 9110, 14.1.2: a suffix of no bytes is a valid range that cannot be satisfied
	case first == "":
		ok = errTo == nil
	case last == "":
		ok = err == nil
	default:
		ok = err == nil && errTo == nil && from <= to
	}
	return set, ok
}

// answer records the status of an answer, keeps caches from errors, 412 and 416, and gives 416 the body of other errors.
type answer struct {
	http.ResponseWriter
	request *http.Request
	size    int64 // of the image
	code    int
}

func (a *answer) WriteHeader(code int) {
	a.code = code
	if code >= http.StatusBadRequest {
		a.Header().Set("Cache-Control", "no-store")
	}
	if code != http.StatusRequestedRangeNotSatisfiable {
		a.ResponseWriter.WriteHeader(code)
		return
	}
	err := status.Errorf(codes.OutOfRange, "Range: the image has %d bytes", a.size)
	answerError(a.request.Context(), runtime.NewServeMux(), errorJSON, a.ResponseWriter, a.request,
		&runtime.HTTPStatusError{HTTPStatus: code, Err: err})
}

// Write writes a part of the image. The text of an error that WriteHeader has answered is dropped.
func (a *answer) Write(p []byte) (int, error) {
	if a.code == http.StatusRequestedRangeNotSatisfiable {
		return len(p), nil
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
