"""Detector frames as files hold them: formats, headers, masks and peaks."""
