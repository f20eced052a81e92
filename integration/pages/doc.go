// Package pages tests the pages of a running gateway as people use them who
// have no mouse, or type what they mean and not what a program expects. What
// the pages look like is tested in module/pages.
package pages
