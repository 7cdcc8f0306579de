package broker_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing/fstest"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/local/broker"
)

const manifests = `
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default, namespace: example}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: greetings, namespace: example}
spec:
  broker: default
  filters: [{exact: {type: com.example.greeting}}]
  subscriber:
    ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: greeter}
`

// Example posts an event to a broker, which delivers it to the subscriber of a Trigger.
func Example() {
	delivered := make(chan string)
	greeter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		delivered <- r.Header.Get("Ce-Type") + ": " + string(body)
	}))
	defer greeter.Close()

	read, err := broker.ReadManifests(fstest.MapFS{"manifests.yaml": {Data: []byte(manifests)}})
	if err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "events")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	b, err := broker.Start(context.Background(), broker.Config{
		Address: "127.0.0.1:0", Dir: dir, Manifests: read,
		Resolve: func(_, service string) (string, bool) { return greeter.URL, service == "greeter" },
	})
	if err != nil {
		panic(err)
	}
	defer b.Close()

	fmt.Println(greet(b.URL("example", "default")))
	fmt.Println(<-delivered)
	// Output:
	// 202 Accepted
	// com.example.greeting: hello
}

// greet sends an event to a broker and returns the status of the answer.
func greet(url string) string {
	e := cloudevent.New()
	e.SetID("1")
	e.SetSource("/example")
	e.SetType("com.example.greeting")
	if err := e.SetData("text/plain", []byte("hello")); err != nil {
		panic(err)
	}
	request, err := httpevent.NewRequest(context.Background(), url, e)
	if err != nil {
		panic(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	answer.Body.Close()
	return answer.Status
}
