// Command Command cases sends the files of a folder to a new local mode and prints each answer
// beside the expected one. It fails if they differ.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"imageflow.dev/test/localmode"
)

func main() {
	if len(os.Args) != 3 || os.Args[2] == "" {
		fmt.Fprintln(os.Stderr, "usage: make cases CASES=FOLDER, a folder with images/, senders/ and clients/ in it")
		os.Exit(2)
	}
	failed, err := run(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "cases:", err)
	}
	if err != nil || failed > 0 {
		os.Exit(1)
	}
}

// run sends the cases of a folder to a local mode that it starts with a command, and returns how
// many failed.
func run(command, folder string) (failed int, err error) {
	images, err := filepath.Glob(filepath.Join(folder, "images", "*"))
	if err != nil || len(images) == 0 {
		return 0, errors.Join(err, fmt.Errorf("no images in %s", folder))
	}
	local, err := localmode.Start(command)
	if err != nil {
		return 0, err
	}
	defer local.Stop()
	system := &system{local}
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "CASE\tRESULT\tEXPECTED\tANSWER")
	for _, file := range images {
		name := filepath.Base(file)
		expected := expectationOf(name)
		got := system.resize(file)
		result := expected.judge(got, system.like(file, expected.like))
		if strings.HasPrefix(result, "FAIL") {
			failed++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", name, result, expected, got)
	}
	for _, kind := range []string{"senders", "clients", "models"} {
		scripts, _ := filepath.Glob(filepath.Join(folder, kind, "*"))
		for _, file := range scripts {
			fmt.Fprintf(table, "%s/%s\tby hand\t%s\t\n", kind, filepath.Base(file), elsewhere[kind])
		}
	}
	return failed, nil
}

// elsewhere names the tests of cases that take more than one request.
var elsewhere = map[string]string{
	"senders": "a script; make hostile and test/scenario play its kind",
	"clients": "a script; test/scenario plays its kind",
	"models":  "a model of another format",
}
