package serve

import (
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// bodyTime is how long the body of a request may take to come, but for gRPC,
// whose streams may rest.
var bodyTime = 2 * time.Minute

// smallBody is read without asking for room.
const smallBody = 256 << 10

// room bounds the bytes of bodies that are in memory: a large one, or a large
// message of gRPC, is read when there is room for all of it, and has that until
// the request is answered, or, in a stream, until the next message comes. Until
// then its caller waits with what it sends.
type room struct {
	*semaphore.Weighted
	size int64
}

func newRoom(size int64) room { return room{semaphore.NewWeighted(size), size} }

// guard has next read bodies as there is room for them.
func (m room) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := &body{ReadCloser: r.Body, room: m, request: r, deadline: http.NewResponseController(w).SetReadDeadline}
		defer b.leave()
		r.Body = b
		next.ServeHTTP(w, r)
	})
}

// body is a request's body, which takes its room with the first read.
type body struct {
	io.ReadCloser
	room    room
	request *http.Request
	// deadline sets the time until which reads may go on.
	deadline func(time.Time) error
	begun    bool

	mutex sync.Mutex
	held  int64
	ended bool
}

func (b *body) Read(p []byte) (int, error) {
	if !b.begun {
		b.begun = true
		size := b.request.ContentLength
		if size < 0 {
			size = b.room.size / 2 // it is not told
		}
		if err := b.take(size); err != nil {
			return 0, err
		}
		if size != 0 { // net/http lifts the deadline at the body's end only
			_ = b.deadline(time.Now().Add(bodyTime)) // every connection of ours has one
		}
	}
	return b.ReadCloser.Read(p)
}

// take waits for room for so many bytes in the place of what the body had.
func (b *body) take(size int64) error {
	b.give(0)
	if size <= smallBody {
		return nil
	}
	size = min(size, b.room.size)
	if err := b.room.Acquire(b.request.Context(), size); err != nil {
		return err
	}
	b.give(size)
	return nil
}

// give gives back what the body has, and notes what it has now.
func (b *body) give(now int64) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.room.Release(b.held)
	b.held = now
	if b.ended {
		b.room.Release(b.held)
		b.held = 0
	}
}

// leave gives back all. A read may go on in another goroutine.
func (b *body) leave() {
	b.mutex.Lock()
	b.ended = true
	b.mutex.Unlock()
	b.give(0)
}
