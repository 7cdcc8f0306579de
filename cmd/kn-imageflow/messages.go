package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"imageflow.dev/cmd/internal/moment"
	"imageflow.dev/cmd/kn-imageflow/internal/text"
)

// asObject returns a message of the contract as an object that printers take: with its fields in snake_case, and a kind
// and a name as objects of Kubernetes have.
func asObject(kind, name string, m proto.Message) (runtime.Object, error) {
	made, err := (protojson.MarshalOptions{UseProtoNames: true}).Marshal(m)
	if err != nil {
		return nil, err
	}
	o := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(made, &o.Object); err != nil {
		return nil, err
	}
	o.SetAPIVersion("imageflow.dev/v1")
	o.SetKind(kind)
	o.SetName(name)
	return o, nil
}

// idOf returns the id that an argument names, which may be what -o name prints of an object.
func idOf(kind, argument string) string {
	return strings.TrimPrefix(argument, strings.ToLower(kind)+".imageflow.dev/")
}

// age returns how long ago a time is, as tables show it.
func age(t *timestamppb.Timestamp) string {
	if t == nil {
		return "unknown"
	}
	return duration.HumanDuration(time.Since(t.AsTime()))
}

// span are the flags of a time.
type span struct{ since, until string }

// add adds the flags; of says what happened at the time.
func (s *span) add(c *cobra.Command, of string) {
	const form = ", a duration before now such as 90m or a time such as 2026-11-25T03:00:00Z"
	c.Flags().StringVar(&s.since, "since", "", "earliest `time` at which "+of+form)
	c.Flags().StringVar(&s.until, "until", "", "latest `time` at which "+of)
}

// parse returns the times; nil if they are not given.
func (s *span) parse() (since, until *timestamppb.Timestamp, err error) {
	now := time.Now()
	from, err := moment.Parse("since", s.since, now)
	if err != nil {
		return nil, nil, err
	}
	to, err := moment.Parse("until", s.until, now)
	if !from.IsZero() {
		since = timestamppb.New(from)
	}
	if !to.IsZero() {
		until = timestamppb.New(to)
	}
	return since, until, err
}

// maxPage is the largest page that the gateway sends.
const maxPage = 500

// pages reads pages until there are as many items as the limit, if it is not 0, or no more. read returns the number of items
// of the page at a token, and the token of the next page.
func pages(limit int, read func(size int32, token string) (items int, next string, err error)) error {
	for found, token := 0, ""; ; {
		size := maxPage
		if limit != 0 {
			size = min(limit-found, maxPage)
		}
		items, next, err := read(int32(size), token)
		found += items
		if err != nil || next == "" || limit > 0 && found >= limit {
			return err
		}
		token = next
	}
}

// addPrefix adds the flag that selects executions by the start of their ids.
func addPrefix(c *cobra.Command, prefix *string) {
	c.Flags().StringVar(prefix, "prefix", "", "select executions whose id begins with `PREFIX`")
}

// description prints an object for people, line by line.
type description struct{ out io.Writer }

// line prints a name and its value.
func (d *description) line(name, value string) {
	fmt.Fprintf(d.out, "%-15s %s\n", name+":", text.Escape(value))
}

// indented prints a line of a tree.
func (d *description) indented(depth int, line string) { d.beside(depth, "└─ ", line) }

// below prints a text below the start of a line of a tree.
func (d *description) below(depth int, line string) { d.beside(depth, "   ", line) }

func (d *description) beside(depth int, mark, line string) {
	fmt.Fprintln(d.out, strings.Repeat("   ", depth)+mark+text.Escape(line))
}
