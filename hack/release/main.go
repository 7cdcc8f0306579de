// Command release describes image archives: for each it writes what the image contains, ARCHIVE.spdx.json (SPDX 2.3), and
// how it was built, ARCHIVE.provenance.json (an in-toto statement with SLSA's provenance 1.0), beside the archive.
//
//	release [-flags "--build-arg DEBIAN_IMAGE=debian@sha256:..."] ARCHIVE.tar...
//
// An archive has the format of `docker save`. Everything is read from the archive, so any tool may have built it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	flags := flag.String("flags", "", "the flags of the build, which name its base images by digest")
	flag.Parse()
	for _, archive := range flag.Args() {
		if err := describe(archive, *flags); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", archive, err)
			os.Exit(1)
		}
	}
}

func describe(archive, flags string) error {
	i, err := readImage(archive)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(archive, ".tar")
	for file, document := range map[string]any{name + ".spdx.json": i.spdx(), name + ".provenance.json": i.provenance(flags)} {
		text, err := json.MarshalIndent(document, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
			return err
		}
		fmt.Println(file)
	}
	return nil
}
