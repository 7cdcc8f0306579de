package gateway

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

// unreadWriter is the writer of a caller that does not read its answer: Write blocks.
type unreadWriter struct {
	*httptest.ResponseRecorder
	begun chan<- struct{}
	read  <-chan struct{}
}

func (w unreadWriter) Write(p []byte) (int, error) {
	w.begun <- struct{}{}
	<-w.read
	return len(p), nil
}

func (l *limiter) counts() (active, done int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.active), l.done
}

func TestLimiter_unreadAnswersAreDone(t *testing.T) {
	synctest.Test(t, testUnreadAnswers) // one window
}

func testUnreadAnswers(t *testing.T) {
	const calls = 3
	l := &limiter{}
	arrived, answer := make(chan struct{}), make(chan struct{})
	h := l.wrap(runtime.NewServeMux(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-answer
		_, _ = w.Write([]byte("an answer"))
	}))
	begun, read := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for range calls {
		all.Go(func() {
			h.ServeHTTP(unreadWriter{httptest.NewRecorder(), begun, read}, httptest.NewRequest(http.MethodPost, "/v1/resize", nil))
		})
		<-arrived
	}
	if active, _ := l.counts(); active != calls {
		t.Errorf("%d calls are active before their answers, want %d", active, calls)
	}
	close(answer)
	for range calls {
		<-begun
	}
	if active, done := l.counts(); active != 0 || done != calls {
		t.Errorf("%d calls are active and %d done while their answers are not read, want 0 and %d", active, done, calls)
	}
	close(read)
	all.Wait()
	if active, done := l.counts(); active != 0 || done != calls {
		t.Errorf("at the end %d calls are active and %d done, want 0 and %d", active, done, calls)
	}
}
