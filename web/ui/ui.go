// Package ui embeds the web page: our own modules as they are written, and the
// third-party bundles of the folder vendor. Nothing is fetched from elsewhere.
package ui

import (
	"embed"
	"mime"
	"path"
)

//go:embed app vendor/*.js vendor/*.css
var files embed.FS

// Asset returns a file of the page by its exact name, such as "index.html" or
// "vendor/uplot.js", with its content type; ok is false when there is none.
func Asset(name string) (body []byte, contentType string, ok bool) {
	file := "app/" + name
	if path.Dir(name) == "vendor" {
		file = name
	}
	body, err := files.ReadFile(file)
	if err != nil {
		return nil, "", false
	}
	contentType = mime.TypeByExtension(path.Ext(name))
	if path.Ext(name) == ".js" {
		contentType = "text/javascript; charset=utf-8"
	}
	return body, contentType, true
}
