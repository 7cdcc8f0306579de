package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"imageflow.dev/internal/imaging"
)

const formatsSummary = "lists the formats of images that this build reads and writes"

// printFormats prints the formats of this build, and what it lacks for others.
func printFormats(_ context.Context, _ []string, out io.Writer) error {
	var reads, writes []string
	missing := ""
	for _, s := range imaging.AllSupport() {
		if s.Read {
			reads = append(reads, string(s.Format))
		}
		if s.Write {
			writes = append(writes, string(s.Format))
		}
		if s.Missing != "" {
			missing += fmt.Sprintf("%s lacks %s\n", s.Format, s.Missing)
		}
	}
	_, err := fmt.Fprintf(out, "reads %s\nwrites %s\n%s", strings.Join(reads, ", "), strings.Join(writes, ", "), missing)
	return err
}
