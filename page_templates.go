package scangate

import (
	"maps"
	"slices"
	"strings"

	"github.com/scangate/scangate/internal/pages"
)

// newPages returns the pages of a config whose fields have been checked. It executes
// Config.Pages.Templates for all pages, which finds most mistakes that a template can have.
func newPages(config *Config) (*pages.Set, error) {
	texts := pages.Texts(config.Pages.Texts)
	languages, fallback := config.Pages.Languages, ""
	if len(languages) == 0 {
		languages, fallback = []string{"zh", "zh-Hant", "en"}, "en"
		for _, tag := range slices.Sorted(maps.Keys(texts)) {
			if !pages.Supported(tag) {
				languages = append(languages, tag)
			}
		}
	}
	set, err := pages.New(pages.Options{
		App:         config.AppName,
		Logo:        config.Pages.Logo,
		BasePath:    config.BasePath,
		AccentColor: config.Pages.AccentColor,
		Languages:   languages,
		Texts:       texts,
		Terms:       links[pages.Link](config.Pages.Terms),
		Links:       links[pages.Link](config.Pages.Links),
		Footer:      links[pages.Link](config.Pages.Footer),
		Fallback:    fallback,
	})
	if err != nil || config.Pages.Templates == nil {
		return set, wrap("reading the built-in pages", err)
	}
	if err := set.Replace(config.Pages.Templates); err != nil {
		return nil, configError("Pages.Templates", "%w", err)
	}
	var faults configErrors
	checkTemplates(&faults, set, config.PublicURL, config.scanMode().chat())
	if len(faults.list) > 0 {
		return nil, &faults
	}
	return set, nil
}

// warnOfMissingTexts logs which languages of Config.Pages.Texts lack texts. A new version
// of this module may bring texts that an application does not have yet.
func warnOfMissingTexts(config *Config) {
	for _, tag := range slices.Sorted(maps.Keys(config.Pages.Texts)) {
		missing, err := pages.Texts(config.Pages.Texts).Missing(tag)
		if err == nil && len(missing) > 0 {
			config.Logger.Warn("scangate: texts are missing in Config.Pages.Texts, so pages show the English ones",
				"language", tag, "missing", len(missing), "keys", strings.Join(missing, " "))
		}
	}
}
