package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// sbom is a document of SPDX 2.3.
type sbom struct {
	SPDXID        string         `json:"SPDXID"`
	Version       string         `json:"spdxVersion"`
	Name          string         `json:"name"`
	DataLicense   string         `json:"dataLicense"`
	Namespace     string         `json:"documentNamespace"`
	Creation      creation       `json:"creationInfo"`
	Packages      []pkg          `json:"packages"`
	Relationships []relationship `json:"relationships"`
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type pkg struct {
	SPDXID    string     `json:"SPDXID"`
	Name      string     `json:"name"`
	Version   string     `json:"versionInfo,omitempty"`
	Location  string     `json:"downloadLocation"`
	Analyzed  bool       `json:"filesAnalyzed"`
	License   string     `json:"licenseConcluded"`
	Declared  string     `json:"licenseDeclared"`
	Copyright string     `json:"copyrightText"`
	Checksums []checksum `json:"checksums,omitempty"`
	Refs      []ref      `json:"externalRefs,omitempty"`
}

type checksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type ref struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

const documentID = "SPDXRef-DOCUMENT"

// spdx lists the packages of Debian, the Go modules in the binary, and the libraries that the build made. It is the
// same for two images with the same contents, except for its name and its time.
func (i *image) spdx() sbom {
	s := sbom{
		SPDXID: documentID, Version: "SPDX-2.3", DataLicense: "CC0-1.0", Name: i.name,
		Namespace: "https://imageflow.dev/spdx/" + i.sha256,
		Creation:  creation{Created: seconds(i.config.Created), Creators: []string{"Tool: imageflow hack/release"}},
	}
	s.add("image", pkg{Name: i.name, Checksums: []checksum{{"SHA256", i.sha256}}}, documentID, "DESCRIBES")
	root := s.Packages[0].SPDXID
	for _, p := range debian(string(i.files[status])) {
		s.add("deb", p, root, "CONTAINS")
	}
	s.add("go", goPackage("stdlib", strings.TrimPrefix(i.goMod.GoVersion, "go")), root, "CONTAINS")
	for _, m := range i.goMod.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		s.add("go", goPackage(m.Path, m.Version), root, "CONTAINS")
	}
	for _, name := range slices.Sorted(maps.Keys(i.files)) {
		if name != status {
			sum := sha256.Sum256(i.files[name])
			s.add("file", pkg{Name: path.Base(name), Checksums: []checksum{{"SHA256", hex.EncodeToString(sum[:])}}}, root, "CONTAINS")
		}
	}
	return s
}

// add adds a package, with the fields that the specification requires.
func (s *sbom) add(kind string, p pkg, from, relation string) {
	p.SPDXID = fmt.Sprintf("SPDXRef-%s-%d", kind, len(s.Packages))
	p.Location, p.License, p.Declared, p.Copyright = "NOASSERTION", "NOASSERTION", "NOASSERTION", "NOASSERTION"
	s.Packages = append(s.Packages, p)
	s.Relationships = append(s.Relationships, relationship{from, relation, p.SPDXID})
}

func goPackage(module, version string) pkg {
	return pkg{Name: module, Version: version, Refs: purl("pkg:golang/" + module + "@" + version)}
}

func purl(url string) []ref { return []ref{{"PACKAGE-MANAGER", "purl", url}} }

// debian returns the packages of a status file of dpkg.
func debian(status string) (packages []pkg) {
	for paragraph := range strings.SplitSeq(status, "\n\n") {
		fields := map[string]string{}
		for line := range strings.SplitSeq(paragraph, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				fields[name] = value
			}
		}
		name, version := fields["Package"], fields["Version"]
		if name != "" && strings.HasSuffix(fields["Status"], " installed") {
			url := fmt.Sprintf("pkg:deb/debian/%s@%s?arch=%s", name, strings.ReplaceAll(version, "+", "%2B"), fields["Architecture"])
			packages = append(packages, pkg{Name: name, Version: version, Refs: purl(url)})
		}
	}
	return packages
}

// seconds cuts the fraction off a time, as SPDX demands.
func seconds(time string) string {
	if whole, _, ok := strings.Cut(time, "."); ok {
		return whole + "Z"
	}
	return time
}
