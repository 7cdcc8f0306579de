package broker

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"imageflow.dev/internal/httpevent"
)

const (
	// maxEventBytes limits the body of an event.
	maxEventBytes = 1 << 20
	// maxHeaderBytes limits the attributes of an event.
	maxHeaderBytes = 64 << 10
	// maxAccepting limits the events that are read concurrently, and so their memory.
	// Other requests wait.
	maxAccepting = 64
)

func (b *Broker) newIngress() *http.Server {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{namespace}/{name}", b.accept)
	var handler http.Handler = mux
	if b.config.WrapHandler != nil {
		handler = b.config.WrapHandler(handler)
	}
	return &http.Server{
		Handler: handler, Protocols: protocols,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, MaxHeaderBytes: maxHeaderBytes,
	}
}

// accept stores an event in binary or structured mode. The answer 202 means that the event
// is on disk.
func (b *Broker) accept(w http.ResponseWriter, r *http.Request) {
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	spec := b.config.Manifests.broker(namespace, name)
	if spec == nil {
		http.Error(w, fmt.Sprintf("there is no Broker %s/%s", namespace, name), http.StatusNotFound)
		return
	}
	select {
	case b.accepting <- struct{}{}:
		defer func() { <-b.accepting }()
	case <-r.Context().Done():
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEventBytes))
	if err != nil {
		b.refuse(w, err)
		return
	}
	e, err := readEvent(r.Header, body)
	if err != nil {
		http.Error(w, "the event is not valid: "+err.Error(), httpevent.Status(err))
		return
	}
	ttl := e.ttl(b.config.MaxReplies + 1)
	if ttl <= 1 {
		http.Error(w, "the chain of replies is too long: "+ttlExtension+" is used up", http.StatusBadRequest)
		return
	}
	msg := e.withTrace(r.Context()).withTTL(ttl - 1).message(eventSubject(spec.resource, e.eventType()))
	if err := b.store.publish(r.Context(), msg); err != nil {
		b.logger.ErrorContext(r.Context(), "event not stored", "event", e.id(), "error", err)
		b.refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// refuse answers an event that was not read or not stored.
func (b *Broker) refuse(w http.ResponseWriter, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, fmt.Sprintf("the event is larger than %d bytes", maxEventBytes), http.StatusRequestEntityTooLarge)
	case errors.Is(err, errFull):
		http.Error(w, errFull.Error(), http.StatusInsufficientStorage)
	case errors.Is(err, errUnavailable):
		http.Error(w, errUnavailable.Error(), http.StatusServiceUnavailable)
	default:
		http.Error(w, "the event could not be read", http.StatusBadRequest)
	}
}
