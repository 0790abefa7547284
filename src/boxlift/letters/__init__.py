"""Letters to the cloud's support, the users and the client, filled with the project's dates and figures.

`templates` knows the files; `render` fills one, which loads forecast and report and therefore takes a moment.
"""
