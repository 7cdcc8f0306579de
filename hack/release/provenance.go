package main

import (
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
)

// statement is an in-toto statement, version 1.
type statement struct {
	Type          string     `json:"_type"`
	Subject       []resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     predicate  `json:"predicate"`
}

// resource is a thing with digests by algorithm.
type resource struct {
	Name   string            `json:"name,omitempty"`
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest"`
}

// predicate is SLSA's provenance, version 1.
type predicate struct {
	Build struct {
		Type         string            `json:"buildType"`
		Parameters   map[string]string `json:"externalParameters"`
		Dependencies []resource        `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	Run struct {
		Builder  map[string]string `json:"builder"`
		Metadata map[string]string `json:"metadata"`
	} `json:"runDetails"`
}

var byDigest = regexp.MustCompile(`_IMAGE=([^\s@]+)@sha256:([0-9a-f]{64})`)

// provenance describes the build of an image by hack/image.sh with further flags. The file has no signature: sign it
// with the archive.
func (i *image) provenance(flags string) statement {
	labels := i.config.Config.Labels
	s := statement{
		Type: "https://in-toto.io/Statement/v1", PredicateType: "https://slsa.dev/provenance/v1",
		Subject: []resource{{Name: i.name, Digest: map[string]string{"sha256": i.sha256}}},
	}
	build := &s.Predicate.Build
	build.Type = "https://imageflow.dev/hack/image.sh/v1"
	build.Parameters = map[string]string{
		"flags": flags, "version": labels["org.opencontainers.image.version"], "architecture": i.config.Architecture,
	}
	build.Dependencies = []resource{{
		URI: "git+https://imageflow.dev", Digest: map[string]string{"gitCommit": labels["org.opencontainers.image.revision"]},
	}}
	for _, base := range byDigest.FindAllStringSubmatch(flags, -1) {
		build.Dependencies = append(build.Dependencies, resource{
			URI: "docker://" + base[1], Digest: map[string]string{"sha256": base[2]},
		})
	}
	for _, m := range i.goMod.Deps {
		build.Dependencies = append(build.Dependencies, resource{
			URI: "pkg:golang/" + m.Path + "@" + m.Version, Digest: map[string]string{"dirHash": dirHash(m.Sum)},
		})
	}
	s.Predicate.Run.Builder = map[string]string{"id": "https://imageflow.dev/hack/image.sh"}
	s.Predicate.Run.Metadata = map[string]string{"finishedOn": i.config.Created}
	return s
}

// dirHash returns the h1 hash of a module as in-toto writes it, in hexadecimal digits.
func dirHash(sum string) string {
	hash, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:"))
	if err != nil {
		return ""
	}
	return hex.EncodeToString(hash)
}
