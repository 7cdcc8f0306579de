package main

import "imageflow.dev/internal/console"

// consoleTrigger sends all events to the console, which shows them and keeps nothing: a delivery is not repeated.
const consoleTrigger = `
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: console, namespace: image-processing}
spec:
  broker: default
  delivery: {retry: 0}
  subscriber:
    ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: console}
    uri: ` + console.EventsPath + `
`
