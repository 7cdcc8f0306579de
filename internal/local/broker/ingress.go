package broker

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// maxEventBytes limits an event's body.
	maxEventBytes = 1 << 20
	// maxHeaderBytes limits its attributes.
	maxHeaderBytes = 64 << 10
	// maxAccepting limits how many events are read at once, and with it their
	// memory; further ones wait.
	maxAccepting = 64
)

func (b *Broker) newIngress() *http.Server {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{namespace}/{name}", b.accept)
	var door http.Handler = mux
	if b.config.Door != nil {
		door = b.config.Door(door)
	}
	return &http.Server{
		Handler: door, Protocols: protocols,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, MaxHeaderBytes: maxHeaderBytes,
	}
}

// accept takes an event in binary or structured mode; 202 means that it is on
// disk.
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
		http.Error(w, "the event is not valid: "+err.Error(), http.StatusBadRequest)
		return
	}
	hops := e.hops(b.config.Hops + 1)
	if hops <= 1 {
		http.Error(w, "the event has led to too many others: "+hopsExtension+" is used up", http.StatusBadRequest)
		return
	}
	if err := b.store.publish(r.Context(), e.withTrace(r.Context()).withHops(hops-1).message(subject(eventStream, spec.place))); err != nil {
		b.logger.ErrorContext(r.Context(), "an event could not be stored", "event", e.id(), "error", err)
		b.refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// refuse answers an event that could not be read or stored.
func (b *Broker) refuse(w http.ResponseWriter, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, fmt.Sprintf("the event is larger than %d bytes", maxEventBytes), http.StatusRequestEntityTooLarge)
	case errors.Is(err, errFull):
		http.Error(w, errFull.Error(), http.StatusInsufficientStorage)
	case errors.Is(err, errAway):
		http.Error(w, errAway.Error(), http.StatusServiceUnavailable)
	default:
		http.Error(w, "the event could not be read", http.StatusBadRequest)
	}
}
