"""Prints the zope.conf that plone.recipe.zope2instance makes of some options.

    instance.py FOLDER INSTANCE OPTION=VALUE...

FOLDER has the recipe's package. Its own function makes the file; what stands in for here is
buildout, which does nothing to it but hand the options over.
"""

import pathlib
import sys
import types


def stand_in(name, **contents):
    module = types.ModuleType(name)
    module.__path__ = []
    vars(module).update(contents)
    sys.modules[name] = module


def main(package, instance, *options):
    sys.path.insert(0, package)
    for name in ["zc", "zc.buildout", "zc.buildout.easy_install", "zc.recipe", "zc.recipe.egg"]:
        stand_in(name)
    stand_in("zc.recipe.egg.egg", Egg=object, Scripts=object)
    from plone.recipe.zope2instance.recipe import Recipe

    recipe = object.__new__(Recipe)
    recipe.name, recipe._relative_paths = "instance", ""
    recipe.options = {"location": instance, **dict(option.split("=", 1) for option in options)}
    recipe.wsgi = recipe.options.get("wsgi") != "off"
    recipe.buildout = {"buildout": {"directory": instance, "parts-directory": instance, "bin-directory": instance}}
    file = pathlib.Path(instance, "etc/zope.conf")
    file.parent.mkdir(parents=True, exist_ok=True)
    recipe.build_zope_conf()
    sys.stdout.buffer.write(file.read_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
