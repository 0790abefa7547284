"""nginx sends the downloads that PHP allows (portal_runtime A5)."""

from boxlift.verify.inventory import Setting
from boxlift.verify.release import Release


def test_option(active_release: Release, setting: Setting) -> None:
    rows = active_release.database.rows(
        "SELECT VALUE FROM b_option WHERE MODULE_ID = 'main' AND NAME = 'bx_fast_download'"
    )
    wanted = setting("portal_settings_fast_download", True)
    assert [value for (value,) in rows] == ["Y" if wanted else "N"]


def test_nothing_counts_on_a_zip_module(active_release: Release) -> None:
    # Debian's nginx has none, and without it nobody puts the archive together.
    rows = active_release.database.rows(
        "SELECT MODULE_ID, NAME, VALUE FROM b_option WHERE (MODULE_ID, NAME) IN"
        " (('disk', 'disk_nginx_mod_zip_enabled'), ('rest', 'enable_mod_zip')) AND VALUE <> 'N'"
    )
    assert rows == []
